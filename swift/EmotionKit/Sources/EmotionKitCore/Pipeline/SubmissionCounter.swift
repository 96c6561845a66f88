import Foundation

/// Counts frames on the camera's thread, where nothing may wait for an actor.
final class SubmissionCounter: @unchecked Sendable {
  // All state is read and written under the lock.
  private let lock = NSLock()
  private var submitted = 0
  private var replaced = 0

  func add(replaced wasReplaced: Bool) {
    lock.withLock {
      submitted += 1
      if wasReplaced { replaced += 1 }
    }
  }

  var counts: (submitted: Int, replaced: Int) {
    lock.withLock { (submitted, replaced) }
  }
}
