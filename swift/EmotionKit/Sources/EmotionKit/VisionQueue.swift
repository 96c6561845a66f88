import Dispatch

/// One thread's worth of Vision and Core ML.
///
/// Both block while they work, which Swift's shared threads must not, and neither promises to be
/// thread-safe. Everything that touches them runs here, each piece of work with an autorelease pool
/// of its own: buffers must not pile up until the thread rests.
final class VisionQueue: Sendable {
  private let queue = DispatchQueue(
    label: "EmotionKit.Vision", qos: .userInitiated, autoreleaseFrequency: .workItem)

  func run<Output: Sendable>(
    _ work: @escaping @Sendable () throws -> Output
  ) async throws -> Output {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try work() }) }
    }
  }
}
