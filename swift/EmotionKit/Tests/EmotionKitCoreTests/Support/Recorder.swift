import Foundation

/// Collects what callbacks report, from whatever thread.
final class Recorder<Value: Sendable>: @unchecked Sendable {
  // Read and written under the lock.
  private let lock = NSLock()
  private var collected: [Value] = []

  var values: [Value] { lock.withLock { collected } }

  func add(_ value: Value) { lock.withLock { collected.append(value) } }
}
