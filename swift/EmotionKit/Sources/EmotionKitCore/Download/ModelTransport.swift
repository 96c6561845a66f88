import Foundation

/// Fetches bytes of a web address. Replace it to use the app's own networking, or a fake.
package protocol ModelTransport: Sendable {
  /// Performs one GET request, following redirects.
  ///
  /// Calls `onResponse` once and then `onData` for each piece, in order and never two at a time. An
  /// error thrown by either ends the transfer and is thrown on. Pieces are not kept: whoever is
  /// slow in `onData` slows the transfer down.
  ///
  /// - Throws: the network's error, `CancellationError`, or what the closures throw.
  func get(
    _ request: TransportRequest,
    onResponse: @escaping @Sendable (TransportResponse) throws -> Void,
    onData: @escaping @Sendable (Data) throws -> Void
  ) async throws
}

/// A GET request, possibly for the rest of a file.
package struct TransportRequest: Hashable, Sendable {
  /// The address.
  package let url: URL
  /// Bytes that are here already; above zero a `Range` header asks for the rest.
  package let offset: Int
  /// The strong entity tag those bytes came with, for `If-Range`: a changed file is then sent whole.
  package let entityTag: String?

  /// Creates a request for a file, or for what is missing of it.
  package init(url: URL, offset: Int = 0, entityTag: String? = nil) {
    self.url = url
    self.offset = offset
    self.entityTag = entityTag
  }

  /// The header fields to send.
  package var headers: [String: String] {
    // A compressed answer would make nonsense of byte positions.
    var headers = ["Accept-Encoding": "identity"]
    if offset > 0 {
      headers["Range"] = "bytes=\(offset)-"
      headers["If-Range"] = entityTag
    }
    return headers
  }
}

/// The head of an answer.
package struct TransportResponse: Hashable, Sendable {
  /// The HTTP status.
  package let status: Int
  /// The header fields; names are compared without regard to case.
  package let headers: [String: String]

  /// Creates a response.
  package init(status: Int, headers: [String: String] = [:]) {
    self.status = status
    self.headers = Dictionary(
      headers.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first })
  }

  /// The entity tag, unless it is a weak one, which promises nothing about bytes.
  var strongEntityTag: String? {
    headers["etag"].flatMap { $0.hasPrefix("W/") ? nil : $0 }
  }

  /// Where the bytes of a partial answer start, from `Content-Range: bytes 10-99/100`.
  var rangeStart: Int? {
    guard let range = headers["content-range"], range.hasPrefix("bytes ") else { return nil }
    return range.dropFirst(6).split(separator: "-").first.flatMap { Int($0) }
  }

  /// Bytes of the whole file, when the server says so.
  var fullLength: Int? {
    if status == 206 {
      return headers["content-range"]?.split(separator: "/").last.flatMap { Int($0) }
    }
    return headers["content-length"].flatMap { Int($0) }
  }
}
