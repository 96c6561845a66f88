import Foundation

/// An HTTP server for one machine, on sockets: gives each path's answer, byte for byte.
final class LoopbackServer: @unchecked Sendable {
  /// The whole answer, head included; with `hangs` the connection stays open after it.
  struct Answer: Sendable {
    var text: String
    var hangs = false
  }

  let port: UInt16
  private let listener: Int32
  private let answers: [String: Answer]
  /// The heads of the requests, as they came.
  let requests = Recorder<String>()

  init(_ answers: [String: Answer]) throws {
    self.answers = answers
    #if canImport(Glibc)
      listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
      listener = socket(AF_INET, SOCK_STREAM, 0)
    #endif
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isReady = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 8) == 0
          && getsockname(listener, $0, &size) == 0
      }
    }
    guard isReady else { throw POSIXError(.EADDRNOTAVAIL) }
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [weak self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0, let self else { return }
        // A thread each: one that hangs must not keep the others waiting.
        Thread.detachNewThread { self.serve(connection) }
      }
    }
  }

  /// Afterwards connections are refused.
  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  func url(_ path: String) throws -> URL {
    guard let url = URL(string: "http://127.0.0.1:\(port)\(path)") else {
      throw URLError(.badURL)
    }
    return url
  }

  private func serve(_ connection: Int32) {
    var head = Data()
    var buffer = [UInt8](repeating: 0, count: 4096)
    while head.range(of: Data("\r\n\r\n".utf8)) == nil {
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { break }
      head.append(contentsOf: buffer.prefix(count))
    }
    let text = String(decoding: head, as: UTF8.self)
    requests.add(text)
    let path = text.split(separator: " ").dropFirst().first.map(String.init) ?? ""
    let answer =
      answers[path] ?? Answer(text: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    _ = answer.text.utf8CString.withUnsafeBytes {
      send(connection, $0.baseAddress, $0.count - 1, 0)
    }
    // Until the other side goes away.
    if answer.hangs { _ = recv(connection, &buffer, buffer.count, 0) }
    close(connection)
  }
}
