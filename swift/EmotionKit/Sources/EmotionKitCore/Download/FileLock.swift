import Foundation

/// Lets one task at a time, of all processes, do something.
///
/// The lock is the operating system's and is gone with the process that held it: nobody waits for
/// one that crashed.
enum FileLock {
  /// Waits for the lock, does the work, and gives the lock back.
  ///
  /// - Parameters:
  ///   - url: an empty file that is created and stays.
  ///   - pause: between two tries. Trying is better than blocking, which would hold a thread.
  /// - Throws: ``EmotionKitError/storageFailed(_:reason:)`` when the file cannot be made,
  ///   `CancellationError`, or what `work` throws.
  static func holding<Output>(
    _ url: URL, pause: Duration = .milliseconds(100), _ work: () async throws -> Output
  ) async throws -> Output {
    let descriptor = open(url.path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure(url) }
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else { throw failure(url) }
      try await Task.sleep(for: pause)
    }
    return try await work()
  }

  private static func failure(_ url: URL) -> EmotionKitError {
    .storageFailed(url, reason: String(cString: strerror(errno)))
  }
}
