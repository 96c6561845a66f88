import Foundation

/// Sends every event to every subscriber.
///
/// Each subscriber has a buffer of its own. One that falls behind loses the *oldest* events beyond
/// the buffer; it never holds up the others or the camera.
package final class EventHub<Event: Sendable>: @unchecked Sendable {
  // NSLock rather than Mutex, which needs iOS 18. All state below is read and written under it.
  private let lock = NSLock()
  private var continuations: [UUID: AsyncStream<Event>.Continuation] = [:]
  private var isFinished = false
  private let bufferSize: Int

  package init(bufferSize: Int = 256) {
    self.bufferSize = bufferSize
  }

  /// A new stream with all events from now on. Ends with ``finish()``, or at once after it.
  package func stream() -> AsyncStream<Event> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Event.self, bufferingPolicy: .bufferingNewest(bufferSize))
    let key = UUID()
    continuation.onTermination = { [weak self] _ in self?.remove(key) }
    let accepted = lock.withLock {
      if !isFinished { continuations[key] = continuation }
      return !isFinished
    }
    if !accepted { continuation.finish() }
    return stream
  }

  /// The number of subscribers now.
  package var subscriberCount: Int { lock.withLock { continuations.count } }

  /// - Complexity: O(*n*) in the number of subscribers.
  package func send(_ event: Event) {
    for continuation in lock.withLock({ Array(continuations.values) }) {
      continuation.yield(event)
    }
  }

  /// Ends all streams, present and future.
  package func finish() {
    // Finishing calls `remove`, which takes the lock: never finish while holding it.
    let all = lock.withLock {
      isFinished = true
      defer { continuations = [:] }
      return Array(continuations.values)
    }
    for continuation in all { continuation.finish() }
  }

  private func remove(_ key: UUID) {
    lock.withLock { continuations[key] = nil }
  }
}
