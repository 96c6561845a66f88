import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// The transport that everybody wants: `URLSession`, without a cache or cookies.
package struct URLSessionTransport: ModelTransport {
  private let timeout: TimeInterval

  /// Creates a transport.
  ///
  /// - Parameter timeout: seconds without a byte after which a request fails.
  package init(timeout: TimeInterval = 60) {
    self.timeout = timeout
  }

  /// Performs one request in a session of its own; see ``ModelTransport``.
  package func get(
    _ request: TransportRequest,
    onResponse: @escaping @Sendable (TransportResponse) throws -> Void,
    onData: @escaping @Sendable (Data) throws -> Void
  ) async throws {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
    configuration.urlCache = nil
    configuration.timeoutIntervalForRequest = timeout
    let transfer = Transfer(onResponse: onResponse, onData: onData)
    // Without a queue of ours the session makes a serial one: pieces come one at a time.
    let session = URLSession(configuration: configuration, delegate: transfer, delegateQueue: nil)
    // The session holds on to its delegate until then.
    defer { session.finishTasksAndInvalidate() }
    var urlRequest = URLRequest(url: request.url)
    for (name, value) in request.headers { urlRequest.setValue(value, forHTTPHeaderField: name) }
    let task = session.dataTask(with: urlRequest)
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        transfer.start(task, continuation)
      }
    } onCancel: {
      task.cancel()
    }
  }
}

/// One request under way.
///
/// `@unchecked Sendable`: set up before the task starts, afterwards touched on the session's serial
/// queue alone.
private final class Transfer: NSObject, URLSessionDataDelegate, @unchecked Sendable {
  private let onResponse: @Sendable (TransportResponse) throws -> Void
  private let onData: @Sendable (Data) throws -> Void
  /// Nil once the transfer is over.
  private var continuation: CheckedContinuation<Void, any Error>?

  init(
    onResponse: @escaping @Sendable (TransportResponse) throws -> Void,
    onData: @escaping @Sendable (Data) throws -> Void
  ) {
    self.onResponse = onResponse
    self.onData = onData
  }

  func start(_ task: URLSessionDataTask, _ continuation: CheckedContinuation<Void, any Error>) {
    self.continuation = continuation
    task.resume()
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
  ) {
    guard let http = response as? HTTPURLResponse else {
      completionHandler(.cancel)
      return stop(dataTask, because: URLError(.badServerResponse))
    }
    let headers = http.allHeaderFields.map { ("\($0.key)", "\($0.value)") }
    do {
      try onResponse(
        TransportResponse(
          status: http.statusCode,
          headers: Dictionary(headers, uniquingKeysWith: { first, _ in first })))
      completionHandler(.allow)
    } catch {
      completionHandler(.cancel)
      stop(dataTask, because: error)
    }
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    guard continuation != nil else { return }
    do {
      try onData(data)
    } catch {
      stop(dataTask, because: error)
    }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
  ) {
    let wasCancelled = (error as? URLError)?.code == .cancelled
    finish(error.map { .failure(wasCancelled ? CancellationError() : $0) } ?? .success(()))
  }

  /// The session may take its time to say that a task is over; whoever waits need not.
  private func stop(_ task: URLSessionDataTask, because error: any Error) {
    finish(.failure(error))
    task.cancel()
  }

  private func finish(_ result: Result<Void, any Error>) {
    continuation?.resume(with: result)
    continuation = nil
  }
}
