import EmotionKitCore
import Foundation
import Testing

/// The real `URLSession` against a real socket.
@Suite(.timeLimit(.minutes(1))) struct URLSessionTransportTests {
  private struct Stop: Error {}

  private let server: LoopbackServer
  private let transport = URLSessionTransport(timeout: 10)
  private let heads = Recorder<TransportResponse>()
  private let pieces = Recorder<Data>()

  init() throws {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"v1\"\r\nConnection: close\r\n\r\n"
    server = try LoopbackServer([
      "/file": .init(text: head + "0123456789"),
      "/rest": .init(
        text: "HTTP/1.1 206 Partial Content\r\nContent-Length: 6\r\n"
          + "Content-Range: bytes 4-9/10\r\nConnection: close\r\n\r\n456789"),
      "/short": .init(text: head + "0123"),
      "/slow": .init(text: head + "0123", hangs: true),
      "/moved": .init(
        text: "HTTP/1.1 302 Found\r\nLocation: /file\r\nContent-Length: 0\r\n"
          + "Connection: close\r\n\r\n"),
    ])
  }

  private func get(_ path: String, offset: Int = 0) async throws -> String {
    try await transport.get(
      TransportRequest(url: server.url(path), offset: offset, entityTag: "\"v1\""),
      onResponse: heads.add, onData: pieces.add)
    return String(decoding: pieces.values.reduce(Data(), +), as: UTF8.self)
  }

  @Test func aFileArrivesWithItsHead() async throws {
    #expect(try await get("/file") == "0123456789")
    let head = try #require(heads.values.first)
    #expect(heads.values.count == 1 && head.status == 200)
    #expect(head.headers["etag"] == "\"v1\"" && head.headers["content-length"] == "10")
    let request = try #require(server.requests.values.first)
    #expect(request.contains("Accept-Encoding: identity"))
    #expect(!request.contains("Range:"))
  }

  @Test func theRestOfAFileIsAskedFor() async throws {
    #expect(try await get("/rest", offset: 4) == "456789")
    #expect(heads.values.first?.status == 206)
    let request = try #require(server.requests.values.first)
    #expect(request.contains("Range: bytes=4-\r\n"))
    #expect(request.contains("If-Range: \"v1\"\r\n"))
  }

  @Test func redirectsAreFollowedAndMissingFilesAreAnAnswer() async throws {
    #expect(try await get("/moved") == "0123456789")
    #expect(heads.values.map(\.status) == [200])
    #expect(try await get("/nothing") == "0123456789")
    #expect(heads.values.map(\.status) == [200, 404])
  }

  @Test func aConnectionThatEndsEarlyOrIsRefusedIsAnError() async throws {
    await #expect(throws: (any Error).self) { try await get("/short") }
    server.stop()
    await #expect(throws: (any Error).self) { try await get("/file") }
  }

  @Test func whatTheReceiverThrowsIsThrownOn() async throws {
    let url = try server.url("/slow")
    await #expect(throws: Stop.self) {
      try await transport.get(
        TransportRequest(url: url), onResponse: { _ in throw Stop() }, onData: { _ in })
    }
    await #expect(throws: Stop.self) {
      try await transport.get(
        TransportRequest(url: url), onResponse: { _ in }, onData: { _ in throw Stop() })
    }
  }

  @Test func cancellingEndsATransferThatHangs() async throws {
    let (arrived, arrivals) = AsyncStream.makeStream(of: Void.self)
    let request = TransportRequest(url: try server.url("/slow"))
    let task = Task {
      try await transport.get(request, onResponse: { _ in }, onData: { _ in arrivals.yield() })
    }
    for await _ in arrived { break }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func onlyWebServersAnswer() async throws {
    let file = TransportRequest(url: URL(fileURLWithPath: "/dev/null"))
    await #expect(throws: (any Error).self) {
      try await transport.get(file, onResponse: heads.add, onData: pieces.add)
    }
    #expect(heads.values.isEmpty)
  }
}
