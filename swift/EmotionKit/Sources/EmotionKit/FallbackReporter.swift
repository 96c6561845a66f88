import Foundation

/// Carries the one fallback from the classifier, which may fall back while it loads, to whoever
/// wants to know, who cannot exist before it has loaded.
final class FallbackReporter: @unchecked Sendable {
  // All state is read and written under the lock.
  private let lock = NSLock()
  private var reason: String?
  private var handler: (@Sendable (String) -> Void)?

  /// Reports; only the first call counts.
  func report(_ newReason: String) {
    let listener = lock.withLock {
      guard reason == nil else { return nil as (@Sendable (String) -> Void)? }
      reason = newReason
      return handler
    }
    listener?(newReason)
  }

  /// Sets the listener, and tells it at once what was reported before.
  func onReport(_ newHandler: @escaping @Sendable (String) -> Void) {
    let earlier = lock.withLock {
      handler = newHandler
      return reason
    }
    if let earlier { newHandler(earlier) }
  }
}
