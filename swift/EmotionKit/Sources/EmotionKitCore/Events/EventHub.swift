import Foundation

/// Sends every event to every subscriber.
///
/// Each subscriber has a buffer of its own. One that falls behind loses the *oldest* events beyond
/// the buffer; it never holds up the others or the camera. What still holds when somebody
/// subscribes - an interruption, heat, a fallback - is told to them first.
package final class EventHub<Event: Sendable>: @unchecked Sendable {
  // NSLock rather than Mutex, which needs iOS 18. All state below is read and written under it.
  private let lock = NSLock()
  private var continuations: [UUID: AsyncStream<Event>.Continuation] = [:]
  private var standing: [(topic: String, event: Event)] = []
  private var isFinished = false

  package init() {}

  /// A new stream: what holds now, then all events from now on. Ends with ``finish()``, or at once
  /// after it.
  ///
  /// - Parameter bufferSize: how many events wait for a subscriber that is busy; at least 1.
  package func stream(bufferSize: Int = 256) -> AsyncStream<Event> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Event.self, bufferingPolicy: .bufferingNewest(max(bufferSize, 1)))
    let key = UUID()
    continuation.onTermination = { [weak self] _ in self?.remove(key) }
    let accepted = lock.withLock {
      guard !isFinished else { return false }
      continuations[key] = continuation
      // Under the lock, so that no newer event can overtake what stood before it.
      for (_, event) in standing { continuation.yield(event) }
      return true
    }
    if !accepted { continuation.finish() }
    return stream
  }

  /// The number of subscribers now.
  package var subscriberCount: Int { lock.withLock { continuations.count } }

  /// - Complexity: O(*n*) in the number of subscribers.
  package func send(_ event: Event) {
    lock.withLock { yield(event) }
  }

  /// Sends an event and remembers or, when it no longer `holds`, forgets it for those who come
  /// later. One event is remembered for each topic.
  package func send(_ event: Event, on topic: String, holds: Bool) {
    lock.withLock {
      standing.removeAll { $0.topic == topic }
      if holds { standing.append((topic, event)) }
      yield(event)
    }
  }

  /// Forgets what stood on a topic; nobody is told.
  package func forget(topic: String) {
    lock.withLock { standing.removeAll { $0.topic == topic } }
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

  /// Yielding never calls back, so it is safe under the lock.
  private func yield(_ event: Event) {
    for continuation in continuations.values { continuation.yield(event) }
  }

  private func remove(_ key: UUID) {
    lock.withLock { continuations[key] = nil }
  }
}
