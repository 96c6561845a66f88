import EmotionKitCore
import Foundation

/// A web server in memory: files, entity tags, byte ranges, and trouble on demand.
final class FakeServer: ModelTransport, @unchecked Sendable {
  struct Lost: LocalizedError {
    var errorDescription: String? { "the connection was lost" }
  }

  /// What happens to one request.
  enum Trouble: Sendable {
    /// The connection ends after so many bytes of the answer, with or without an error.
    case cut(after: Int, silently: Bool = false)
    case status(Int)
    /// The range is ignored and the whole file sent.
    case ignoresRange
    /// More bytes than announced.
    case sendsTooMuch
    /// Waits until it is cancelled.
    case hangs(after: Int)
  }

  static let base = URL(string: "https://models.example/7/") ?? URL(fileURLWithPath: "/7/")

  // Everything below is read and written under the lock.
  private let lock = NSLock()
  private var files: [String: Data] = [:]
  private var tags: [String: String] = [:]
  private var troubles: [Trouble?] = []
  private var asked: [TransportRequest] = []
  private var sentBytes = 0

  var requests: [TransportRequest] { lock.withLock { asked } }
  /// Bytes of all answers together.
  var sent: Int { lock.withLock { sentBytes } }

  func put(_ data: Data, at path: String, tag: String? = nil) {
    lock.withLock {
      files[Self.base.appendingPathComponent(path).absoluteString] = data
      tags[Self.base.appendingPathComponent(path).absoluteString] = tag
    }
  }

  /// For the next requests, in their order; nil is no trouble.
  func prepare(_ troubles: Trouble?...) {
    lock.withLock { self.troubles = troubles }
  }

  func get(
    _ request: TransportRequest,
    onResponse: @escaping @Sendable (TransportResponse) throws -> Void,
    onData: @escaping @Sendable (Data) throws -> Void
  ) async throws {
    let (file, tag, trouble) = lock.withLock {
      asked.append(request)
      let key = request.url.absoluteString
      return (files[key], tags[key], troubles.isEmpty ? nil : troubles.removeFirst())
    }
    guard let file else { return try onResponse(TransportResponse(status: 404)) }
    if case .status(let status) = trouble {
      return try onResponse(TransportResponse(status: status))
    }
    var start = request.offset
    if case .ignoresRange = trouble { start = 0 }
    if let known = request.entityTag, known != tag { start = 0 }
    guard start < file.count || file.isEmpty else {
      return try onResponse(TransportResponse(status: 416))
    }
    var headers = ["Content-Length": "\(file.count - start)", "ETag": tag ?? "W/\"weak\""]
    if start > 0 { headers["content-range"] = "bytes \(start)-\(file.count - 1)/\(file.count)" }
    try onResponse(TransportResponse(status: start > 0 ? 206 : 200, headers: headers))
    try await send(file.dropFirst(start), trouble, onData)
  }

  private func send(
    _ body: Data, _ trouble: Trouble?, _ onData: @Sendable (Data) throws -> Void
  ) async throws {
    var rest = body
    var limit = Int.max
    if case .cut(let after, _) = trouble { limit = after }
    if case .hangs(let after) = trouble { limit = after }
    while !rest.isEmpty, limit > 0 {
      try Task.checkCancellation()
      let piece = rest.prefix(min(1000, limit))
      rest = rest.dropFirst(piece.count)
      limit -= piece.count
      lock.withLock { sentBytes += piece.count }
      try onData(Data(piece))
    }
    switch trouble {
    case .cut(_, silently: false): throw Lost()
    case .hangs: try await Task.sleep(for: .seconds(600))
    case .sendsTooMuch: try onData(Data([0]))
    default: break
    }
  }
}
