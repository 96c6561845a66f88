import Foundation

/// What may be better the next time.
enum TransferProblem: Error {
  case status(Int)
  case rangeRefused
  case incomplete(Int, of: Int)
}

/// How often to try again, and how long to wait in between.
struct RetryPolicy: Sendable {
  /// Tries in all.
  var attempts = 3
  /// Before the second try; twice as long before the third.
  var pause: Duration = .seconds(1)

  /// Does the work until it succeeds, fails for good, or the patience is at its end.
  ///
  /// - Throws: ``EmotionKitError`` and `CancellationError` as they come, anything else as
  ///   ``EmotionKitError/modelDownloadFailed(_:reason:)`` after the last try.
  func run<Output: Sendable>(
    _ remote: URL, _ work: @Sendable () async throws -> Output
  ) async throws -> Output {
    var failures = 0
    while true {
      do {
        return try await work()
      } catch let error as EmotionKitError {
        throw error
      } catch is CancellationError {
        throw CancellationError()
      } catch {
        failures += 1
        guard failures < attempts else {
          throw EmotionKitError.modelDownloadFailed(remote, reason: Self.describe(error))
        }
        try await Task.sleep(for: pause * failures)
      }
    }
  }

  private static func describe(_ error: any Error) -> String {
    switch error {
    case TransferProblem.status(let status): "the server answered \(status)"
    case TransferProblem.rangeRefused: "the server cannot continue a download"
    case TransferProblem.incomplete(let here, let expected):
      "the connection ended after \(here) of \(expected) bytes"
    default: error.localizedDescription
    }
  }
}

extension TransportResponse {
  /// Refuses an answer without the file in it.
  ///
  /// - Throws: ``TransferProblem`` when another try may help, otherwise
  ///   ``EmotionKitError/modelDownloadFailed(_:reason:)``.
  func checkStatus(_ remote: URL) throws {
    switch status {
    case 200, 206: return
    case 416: throw TransferProblem.rangeRefused
    case 408, 429, 500...599: throw TransferProblem.status(status)
    default:
      throw EmotionKitError.modelDownloadFailed(remote, reason: "the server answered \(status)")
    }
  }
}

extension ModelTransport {
  /// Fetches a small file into memory.
  ///
  /// - Parameter limit: in bytes; more is refused, whatever the server says.
  /// - Throws: as ``RetryPolicy/run(_:_:)``.
  func data(from url: URL, limit: Int, retries: RetryPolicy) async throws -> Data {
    try await retries.run(url) {
      let collected = Collected()
      try await get(
        TransportRequest(url: url), onResponse: { try $0.checkStatus(url) },
        onData: { piece in
          guard collected.append(piece) <= limit else {
            throw EmotionKitError.modelDownloadFailed(
              url, reason: "it is larger than the \(limit) bytes a manifest may have")
          }
        })
      return collected.data
    }
  }
}

private final class Collected: @unchecked Sendable {
  // Read and written under the lock.
  private let lock = NSLock()
  private var bytes = Data()

  var data: Data { lock.withLock { bytes } }

  /// Returns the number of bytes so far.
  func append(_ piece: Data) -> Int {
    lock.withLock {
      bytes.append(piece)
      return bytes.count
    }
  }
}
