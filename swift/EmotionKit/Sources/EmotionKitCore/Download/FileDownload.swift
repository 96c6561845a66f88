import Foundation

/// One file on its way from a server to the disk: continued where it stopped, and checked.
///
/// What has arrived lies in `<name>.part`, with the entity tag it came with in `<name>.tag`. The
/// file gets its name only when its hash is right.
struct FileDownload: Sendable {
  let remote: URL
  let target: URL
  let sha256: String
  /// When known, more bytes than these are refused as they arrive.
  let bytes: Int?
  let transport: any ModelTransport
  let storage: any ModelStorage
  let retries: RetryPolicy
  /// Bytes here so far, and bytes of the file if known.
  let onProgress: @Sendable (Int, Int?) -> Void

  private var part: URL { target.appendingPathExtension("part") }
  private var tag: URL { target.appendingPathExtension("tag") }

  /// Fetches what is missing.
  ///
  /// - Throws: ``EmotionKitError/modelDownloadFailed(_:reason:)``,
  ///   ``EmotionKitError/modelFileChanged(path:expected:found:)``,
  ///   ``EmotionKitError/storageFailed(_:reason:)`` or `CancellationError`. What has arrived is kept
  ///   unless its hash is wrong.
  func run() async throws {
    let folder = target.deletingLastPathComponent()
    try storing(at: folder) { try storage.createFolder(folder) }
    let before = size(of: part)
    try await retries.run(remote, fetch)
    var found = try hash(of: part)
    if found != sha256, before > 0 {
      // An earlier try may have left the beginning of another version, which not every server
      // tells us. Once more from the start before anybody is accused.
      try discard()
      try await retries.run(remote, fetch)
      found = try hash(of: part)
    }
    guard found == sha256 else {
      try discard()
      throw EmotionKitError.modelFileChanged(
        path: target.lastPathComponent, expected: sha256, found: found)
    }
    try storing(at: target) { try storage.move(part, to: target) }
    try? storage.remove(tag)
  }

  /// Asks for what is missing, once.
  @Sendable private func fetch() async throws {
    let arrived = size(of: part)
    if arrived > 0, arrived == bytes { return }
    let known = (try? storage.read(tag)).map { String(decoding: $0, as: UTF8.self) }
    let sink = Sink(self, offset: arrived)
    do {
      try await transport.get(
        TransportRequest(url: remote, offset: arrived, entityTag: arrived > 0 ? known : nil),
        onResponse: sink.receive(head:), onData: sink.receive(data:))
    } catch TransferProblem.rangeRefused {
      // What is here is not a beginning of what is there.
      try discard()
      throw TransferProblem.rangeRefused
    }
    try sink.checkComplete()
  }

  /// Zero when there is no such file.
  private func size(of url: URL) -> Int {
    guard let handle = try? FileHandle(forReadingFrom: url) else { return 0 }
    defer { try? handle.close() }
    return (try? handle.seekToEnd()).map(Int.init) ?? 0
  }

  private func hash(of url: URL) throws(EmotionKitError) -> String {
    try storing(at: url) { try SHA256.hex(contentsOf: url) }
  }

  fileprivate func discard() throws(EmotionKitError) {
    try? storage.remove(tag)
    guard part.isExistingDirectory != nil else { return }
    try storing(at: part) { try storage.remove(part) }
  }

  fileprivate func store(_ entityTag: String?) {
    // Without the tag the next try continues all the same, and the hash decides.
    if let entityTag {
      try? storage.write(Data(entityTag.utf8), to: tag)
    } else {
      try? storage.remove(tag)
    }
  }

  fileprivate func append(_ data: Data) throws(EmotionKitError) {
    try storing(at: part) { try storage.append(data, to: part) }
  }
}

/// Writes one answer to the disk.
///
/// `@unchecked Sendable`: a transport calls it from one place at a time, as its protocol demands.
private final class Sink: @unchecked Sendable {
  private let download: FileDownload
  private var written: Int
  private var expected: Int?

  init(_ download: FileDownload, offset: Int) {
    self.download = download
    written = offset
    expected = download.bytes
  }

  func receive(head: TransportResponse) throws {
    try head.checkStatus(download.remote)
    if head.status == 206 {
      guard head.rangeStart == written else { throw TransferProblem.rangeRefused }
    } else {
      try download.discard()
      written = 0
      download.store(head.strongEntityTag)
    }
    if let length = head.fullLength {
      if let promised = download.bytes, promised != length {
        throw EmotionKitError.modelFileChanged(
          path: download.target.lastPathComponent, expected: "\(promised) bytes",
          found: "\(length) bytes")
      }
      expected = length
    }
    download.onProgress(written, expected)
  }

  func receive(data: Data) throws {
    if let expected, written + data.count > expected {
      throw EmotionKitError.modelFileChanged(
        path: download.target.lastPathComponent, expected: "\(expected) bytes", found: "more")
    }
    try download.append(data)
    written += data.count
    download.onProgress(written, expected)
  }

  func checkComplete() throws {
    if let expected, written < expected {
      throw TransferProblem.incomplete(written, of: expected)
    }
  }
}
