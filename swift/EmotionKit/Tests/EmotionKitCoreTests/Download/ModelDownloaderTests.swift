import EmotionKitCore
import Foundation
import Testing

@Suite(.timeLimit(.minutes(1))) struct ModelDownloaderTests {
  private let folder: TemporaryFolder
  private let server = FakeServer()
  /// Two files of 5 000 and 3 bytes.
  private let files = [
    ("Data/weights/weight.bin", Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) })),
    ("Manifest.json", Data("{ }".utf8)),
  ]

  init() throws {
    folder = try TemporaryFolder()
  }

  private func downloader(storage: any ModelStorage = DiskStorage()) -> ModelDownloader {
    ModelDownloader(
      directory: folder.url.appendingPathComponent("models"), transport: server, storage: storage,
      pause: .milliseconds(1))
  }

  /// Puts a model on the server, as `ferconv package` writes it.
  private func publish(
    _ change: (String) -> String = { $0 }, tag: String? = "\"v1\""
  ) throws -> RemoteModel {
    let hashes = files.map { ($0.0, $0.1.count, hex($0.1)) }
    let listing = hashes.map {
      #"{"path": "\#($0.0)", "bytes": \#($0.1), "sha256": "\#($0.2)"}"#
    }
    let tree = SHA256.hex(hashes.map { "\($0.2)  \($0.0)\n" }.joined())
    let manifest = ManifestJSON.text(
      file: "EmotionNet.mlpackage", bytes: 5003, sha256: tree, files: listing)
    server.put(Data(change(manifest).utf8), at: "manifest.json")
    for (path, data) in files { server.put(data, at: "EmotionNet.mlpackage/\(path)", tag: tag) }
    return try RemoteModel(
      url: FakeServer.base.appendingPathComponent("manifest.json"), sha256: tree)
  }

  private func hex(_ data: Data) -> String {
    var hash = SHA256()
    hash.update(data)
    return hash.finalize()
  }

  private func verifyFiles(beside model: URL) throws {
    let folder = model.deletingLastPathComponent()
    try ModelManifest.read(in: folder).verifyFiles(in: folder)
  }

  // MARK: The ordinary way

  @Test func aModelIsFetchedFileByFileAndFoundAfterwards() async throws {
    let model = try publish()
    #expect(try downloader().downloaded(model) == nil)
    let seen = Recorder<ModelDownloadProgress>()
    let located = try await downloader().download(model) { seen.add($0) }
    #expect(located.pathExtension == "mlpackage")
    try verifyFiles(beside: located)
    #expect(try ModelManifest.contentHash(of: located) == model.sha256)

    let progress = seen.values
    #expect(progress.map(\.completedBytes) == progress.map(\.completedBytes).sorted())
    #expect(progress.count >= 6 && progress.allSatisfy { $0.totalBytes == 5003 })
    #expect(progress.last?.fraction == 1)
    #expect(
      server.requests.map(\.headers["Accept-Encoding"]) == ["identity", "identity", "identity"])

    #expect(try downloader().downloaded(model) == located)
    #expect(try await downloader().download(model) == located)
    #expect(server.requests.count == 3)
    let folder = located.deletingLastPathComponent()
    let left = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
    #expect(!left.contains { $0.hasSuffix(".part") || $0.hasSuffix(".tag") })
  }

  @Test func aSingleFileNeedsNoManifest() async throws {
    let data = files[0].1
    server.put(data, at: "Mine.mlmodel")
    let model = try RemoteModel(
      url: FakeServer.base.appendingPathComponent("Mine.mlmodel"), sha256: hex(data).uppercased())
    let located = try await downloader().download(model)
    #expect(located.lastPathComponent == "Mine.mlmodel")
    #expect(try Data(contentsOf: located) == data)
    try downloader().remove(model)
    #expect(try downloader().downloaded(model) == nil)
    try downloader().remove(model)
  }

  @Test func aSingleFileMayHaveAManifest() async throws {
    let data = files[0].1
    let listing = #"{"path": "EmotionNet.mlmodel", "bytes": 5000, "sha256": "\#(hex(data))"}"#
    server.put(
      Data(
        ManifestJSON.text(
          file: "EmotionNet.mlmodel", bytes: 5000, sha256: hex(data), files: [listing]
        ).utf8), at: "manifest.json")
    server.put(data, at: "EmotionNet.mlmodel")
    let model = try RemoteModel(
      url: FakeServer.base.appendingPathComponent("manifest.json"), sha256: hex(data))
    let located = try await downloader().download(model)
    try verifyFiles(beside: located)
  }

  @Test func manyWhoWantItWaitForOneDownload() async throws {
    let model = try publish()
    let downloaders = (0..<5).map { _ in downloader() }
    let places = try await withThrowingTaskGroup(of: URL.self) { group in
      for downloader in downloaders { group.addTask { try await downloader.download(model) } }
      return try await group.reduce(into: Set<URL>()) { $0.insert($1) }
    }
    #expect(places.count == 1)
    #expect(server.requests.count == 3)
  }

  // MARK: Continuing

  @Test func aLostConnectionIsContinuedWhereItStopped() async throws {
    let model = try publish()
    server.prepare(nil, .cut(after: 2500), .cut(after: 1000, silently: true))
    _ = try await downloader().download(model)
    let weights = server.requests.filter { $0.url.lastPathComponent == "weight.bin" }
    #expect(weights.map(\.offset) == [0, 2500, 3500])
    #expect(weights[1].headers["Range"] == "bytes=2500-")
    #expect(weights[1].headers["If-Range"] == "\"v1\"")
  }

  @Test func theNextLaunchContinuesToo() async throws {
    let model = try publish()
    server.prepare(nil, .cut(after: 2000), .cut(after: 0), .cut(after: 0))
    do {
      _ = try await downloader().download(model)
      Issue.record("downloaded over a broken connection")
    } catch let error as EmotionKitError {
      guard case .modelDownloadFailed(_, let reason) = error else { throw error }
      #expect(reason == "the connection was lost")
      #expect(error.errorDescription?.contains("models.example") == true)
      #expect(error.recoverySuggestion?.contains("continues where it stopped") == true)
    }
    #expect(try downloader().downloaded(model) == nil)
    let manifestBytes = server.sent - 2000
    let before = server.sent
    let seen = Recorder<ModelDownloadProgress>()
    _ = try await downloader().download(model) { seen.add($0) }
    #expect(server.sent - before == manifestBytes + 3003)
    #expect(seen.values.first?.completedBytes == 2000)
  }

  @Test func aFileThatChangedMeanwhileIsSentWhole() async throws {
    let model = try publish(tag: "\"v2\"")
    let part = "models/\(model.sha256.prefix(32)).partial/EmotionNet.mlpackage/Data/weights"
    try folder.write("old beginning", to: part + "/weight.bin.part")
    try folder.write("\"v1\"", to: part + "/weight.bin.tag")
    let located = try await downloader().download(model)
    #expect(try ModelManifest.contentHash(of: located) == model.sha256)
    #expect(server.requests.count == 3)
  }

  /// Without entity tags, or with weak ones, only the hash can tell; then once more from the start.
  @Test(arguments: [nil, "W/\"weak\""]) func theHashDecidesWhereTagsCannot(tag: String?)
    async throws
  {
    let model = try publish(tag: tag)
    let part = "models/\(model.sha256.prefix(32)).partial/EmotionNet.mlpackage/Data/weights"
    try folder.write("of another version", to: part + "/weight.bin.part")
    let located = try await downloader().download(model)
    #expect(try ModelManifest.contentHash(of: located) == model.sha256)
    let weights = server.requests.filter { $0.url.lastPathComponent == "weight.bin" }
    #expect(weights.map(\.offset) == [18, 0])
  }

  @Test func aServerWithoutRangesSendsEverythingAgain() async throws {
    let model = try publish()
    server.prepare(nil, .cut(after: 2500), .ignoresRange)
    let located = try await downloader().download(model)
    #expect(try ModelManifest.contentHash(of: located) == model.sha256)
  }

  @Test func moreThanTheServerHasIsThrownAway() async throws {
    let model = try publish()
    let part = "models/\(model.sha256.prefix(32)).partial/EmotionNet.mlpackage/Data/weights"
    try folder.write(String(repeating: "x", count: 6000), to: part + "/weight.bin.part")
    let located = try await downloader().download(model)
    #expect(try ModelManifest.contentHash(of: located) == model.sha256)
  }

  @Test func whatArrivedWholeBeforeAnEndIsNotAskedForAgain() async throws {
    let model = try publish()
    let part = "models/\(model.sha256.prefix(32)).partial/EmotionNet.mlpackage/"
    let file = try folder.write("", to: part + "Data/weights/weight.bin.part")
    try files[0].1.write(to: file)
    _ = try await downloader().download(model)
    #expect(!server.requests.contains { $0.url.lastPathComponent == "weight.bin" })
  }

  @Test func aBusyServerIsAskedAgainAndAMissingFileIsNot() async throws {
    let model = try publish()
    server.prepare(.status(503), .status(429), nil, .status(500))
    _ = try await downloader().download(model)
    #expect(server.requests.count == 6)

    let missing = try RemoteModel(
      url: FakeServer.base.appendingPathComponent("none/manifest.json"), sha256: model.sha256)
    try downloader().remove(model)
    await expectFailure(of: missing, "the server answered 404")
    #expect(server.requests.count == 7)
    server.prepare(.status(503), .status(503), .status(503))
    await expectFailure(of: model, "the server answered 503")
  }

  @Test func cancellingKeepsWhatArrived() async throws {
    let model = try publish()
    server.prepare(nil, .hangs(after: 3000))
    let downloader = downloader()
    let (arrived, arrivals) = AsyncStream.makeStream(of: Int.self)
    let task = Task {
      try await downloader.download(model) { arrivals.yield($0.completedBytes) }
    }
    for await bytes in arrived where bytes == 3000 { break }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    _ = try await downloader.download(model)
    #expect(server.requests.last { $0.url.lastPathComponent == "weight.bin" }?.offset == 3000)
  }

  // MARK: Trust

  @Test func anotherFileThanPromisedIsRefusedAndThrownAway() async throws {
    let model = try publish()
    var changed = files[0].1
    changed[17] ^= 1
    server.put(changed, at: "EmotionNet.mlpackage/Data/weights/weight.bin")
    do {
      _ = try await downloader().download(model)
      Issue.record("accepted another file")
    } catch EmotionKitError.modelFileChanged(let path, let expected, let found) {
      #expect(path == "weight.bin")
      #expect(expected == hex(files[0].1) && found == hex(changed))
    }
    #expect(try downloader().downloaded(model) == nil)
    _ = try publish()
    _ = try await downloader().download(model)
  }

  @Test func anotherListThanPromisedIsRefusedBeforeAFileIsFetched() async throws {
    let model = try publish { $0.replacingOccurrences(of: hex(files[1].1), with: hex(files[0].1)) }
    do {
      _ = try await downloader().download(model)
      Issue.record("accepted another list")
    } catch EmotionKitError.modelFileChanged(let path, model.sha256, _) {
      #expect(path == "EmotionNet.mlpackage")
    }
    #expect(server.requests.count == 1)
  }

  @Test(arguments: ["../../escaped", "/etc/escaped", "a//b", "a/./b", "a\\\\b", ""])
  func aPathThatLeadsOutIsRefused(path: String) async throws {
    // The hash covers it: whoever made the model made the path.
    let name = path.replacingOccurrences(of: "\\\\", with: "\\")
    let tree = SHA256.hex("\(hex(files[1].1))  \(name)\n")
    let listing = #"{"path": "\#(path)", "bytes": 3, "sha256": "\#(hex(files[1].1))"}"#
    try await expectBadManifest(
      ManifestJSON.text(
        file: "EmotionNet.mlpackage", bytes: 3, sha256: tree, files: [listing]),
      sha256: tree, field: "model.files.path")
  }

  @Test(arguments: ["../EmotionNet.mlpackage", "a/b.mlpackage", "notes.txt", ".."])
  func aModelThatIsNoneIsRefused(file: String) async throws {
    let tree = SHA256.hex("\(hex(files[1].1))  Manifest.json\n")
    let listing = #"{"path": "Manifest.json", "bytes": 3, "sha256": "\#(hex(files[1].1))"}"#
    try await expectBadManifest(
      ManifestJSON.text(file: file, bytes: 3, sha256: tree, files: [listing]), sha256: tree,
      field: "model.file")
  }

  @Test(arguments: ["-1", "9223372036854775807"])
  func aSizeThatMakesNoSenseIsRefused(bytes: String) async throws {
    let tree = SHA256.hex("\(hex(files[1].1))  Manifest.json\n")
    let listing = #"{"path": "Manifest.json", "bytes": \#(bytes), "sha256": "\#(hex(files[1].1))"}"#
    try await expectBadManifest(
      ManifestJSON.text(file: "EmotionNet.mlpackage", bytes: 3, sha256: tree, files: [listing]),
      sha256: tree, field: "model.files.bytes")
  }

  @Test func anEndlessAnswerIsCutOff() async throws {
    let model = try publish()
    server.prepare(nil, .sendsTooMuch)
    await #expect(throws: EmotionKitError.self) { try await downloader().download(model) }
    server.put(Data(repeating: 32, count: 2 << 20), at: "manifest.json")
    await expectFailure(of: model, "it is larger than the 1048576 bytes a manifest may have")
  }

  @Test func aFileOfAnotherSizeIsRefusedAtOnce() async throws {
    let model = try publish()
    server.put(files[0].1 + Data([1]), at: "EmotionNet.mlpackage/Data/weights/weight.bin")
    await #expect(
      throws: EmotionKitError.modelFileChanged(
        path: "weight.bin", expected: "5000 bytes", found: "5001 bytes")
    ) { try await downloader().download(model) }
  }

  @Test func onlyModelsWithAHashCanBeAskedFor() {
    let manifest = FakeServer.base.appendingPathComponent("manifest.json")
    #expect(throws: EmotionKitError.self) { try RemoteModel(url: manifest, sha256: "abc") }
    let archive = FakeServer.base.appendingPathComponent("model.zip")
    #expect(throws: EmotionKitError.unsupportedModelFile(archive)) {
      try RemoteModel(url: archive, sha256: SHA256.hex(""))
    }
  }

  // MARK: The disk

  @Test(arguments: [FullDisk.Step.createFolder, .append, .moveUp])
  func aFullDiskHasItsOwnErrorAndTheDownloadGoesOnLater(step: FullDisk.Step) async throws {
    let model = try publish()
    do {
      _ = try await downloader(storage: FullDisk(failing: step)).download(model)
      Issue.record("stored a model on a full disk")
    } catch let error as EmotionKitError {
      guard case .storageFailed(_, "there is no space left") = error else { throw error }
      #expect(error.recoverySuggestion?.contains("Free some space") == true)
    }
    _ = try await downloader().download(model)
  }

  @Test func aModelThatWasDamagedOnDiskIsReported() async throws {
    let model = try publish()
    let located = try await downloader().download(model)
    try FileManager.default.removeItem(at: located)
    #expect(throws: EmotionKitError.self) { try downloader().downloaded(model) }
  }

  private func expectBadManifest(_ text: String, sha256: String, field: String) async throws {
    server.put(Data(text.utf8), at: "manifest.json")
    let model = try RemoteModel(
      url: FakeServer.base.appendingPathComponent("manifest.json"), sha256: sha256)
    do {
      _ = try await downloader().download(model)
      Issue.record("accepted \(text)")
    } catch EmotionKitError.contractMismatch(let found, _, _) {
      #expect(found == field)
    }
    #expect(server.requests.count == 1)
  }

  private func expectFailure(of model: RemoteModel, _ reason: String) async {
    do {
      _ = try await downloader().download(model)
      Issue.record("downloaded")
    } catch EmotionKitError.modelDownloadFailed(_, let found) {
      #expect(found == reason)
    } catch {
      Issue.record("\(error)")
    }
  }
}
