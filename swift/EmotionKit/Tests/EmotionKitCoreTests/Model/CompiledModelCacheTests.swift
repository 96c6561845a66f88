import EmotionKitCore
import Foundation
import Testing

@Suite struct CompiledModelCacheTests {
  private let folder: TemporaryFolder
  private let model: URL

  init() throws {
    folder = try TemporaryFolder()
    model = try folder.write("model", to: "EmotionNet.mlmodel")
  }

  private func cache(
    osBuild: String = "Version 1 (Build 1A)", storage: any ModelStorage = DiskStorage(),
    day: Int = 20_000
  ) -> CompiledModelCache {
    CompiledModelCache(
      directory: folder.url.appendingPathComponent("cache"), osBuild: osBuild, storage: storage,
      today: { day })
  }

  /// The names of the compiled models in the cache, and of anything else that was left there.
  private func names(_ suffix: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(
      atPath: folder.url.appendingPathComponent("cache/EmotionNet").path
    ).filter { $0.hasSuffix(suffix) }.sorted()
  }

  @Test func compilesOnceForManyCallersAndForTheNextLaunch() async throws {
    let compiler = FakeCompiler(folder: folder.url)
    let cache = cache()
    let hash = SHA256.hex("model")
    let model = model
    let urls = try await withThrowingTaskGroup(of: URL.self) { group in
      for _ in 0..<20 {
        group.addTask {
          try await cache.compiledModel(for: model, hash: hash, compile: compiler.compile)
        }
      }
      return try await group.reduce(into: Set<URL>()) { $0.insert($1) }
    }
    #expect(urls.count == 1)
    #expect(await compiler.count == 1)
    let url = try #require(urls.first)
    #expect(url.lastPathComponent == "\(hash.prefix(16))-Version1Build1A.mlmodelc")
    #expect(try ModelLocator.inspect(url).kind == .mlmodelc)

    let nextLaunch = self.cache()
    let again = try await nextLaunch.compiledModel(
      for: model, hash: hash, compile: compiler.compile)
    #expect(again == url)
    #expect(await compiler.count == 1)
  }

  @Test func anotherSystemCompilesAgainAndRemovesTheOld() async throws {
    let compiler = FakeCompiler(folder: folder.url)
    let first = try await cache().compiledModel(
      for: model, hash: SHA256.hex("1"), compile: compiler.compile)
    let second = try await cache(osBuild: "Version 2").compiledModel(
      for: model, hash: SHA256.hex("1"), compile: compiler.compile)
    #expect(first != second)
    #expect(await compiler.count == 2)
    #expect(try names() == [second.lastPathComponent, second.lastPathComponent + ".used"])
  }

  /// Two models of the same name, the bundled one and another, must not drive each other out.
  @Test func anotherModelStaysUntilNobodyHasAskedForItForAMonth() async throws {
    let compiler = FakeCompiler(folder: folder.url)
    func use(_ hash: String, day: Int) async throws -> URL {
      try await cache(day: day).compiledModel(for: model, hash: hash, compile: compiler.compile)
    }
    let old = try await use("aa", day: 100)
    let kept = try await use("bb", day: 100)
    #expect(try await use("aa", day: 101) == old)
    #expect(await compiler.count == 2)
    _ = try await use("bb", day: 120)
    _ = try await use("cc", day: 132)
    #expect(try names(".mlmodelc").map { $0.prefix(2) } == ["bb", "cc"])
    #expect(try names(".used").count == 2)
    #expect(try await use("bb", day: 132) == kept)
    #expect(await compiler.count == 3)
  }

  @Test func aFailureLeavesNothingAndIsNotRemembered() async throws {
    let compiler = FakeCompiler(folder: folder.url, failures: 1)
    let cache = cache()
    do {
      _ = try await cache.compiledModel(for: model, hash: "h", compile: compiler.compile)
      Issue.record("a failed compilation gave a model")
    } catch let error as EmotionKitError {
      guard case .modelCompileFailed(model, _) = error else { throw error }
    }
    let url = try await cache.compiledModel(for: model, hash: "h", compile: compiler.compile)
    #expect(try names() == [url.lastPathComponent, url.lastPathComponent + ".used"])
  }

  @Test func anIncompleteModelIsCompiledAgain() async throws {
    let compiler = FakeCompiler(folder: folder.url)
    let url = try await cache().compiledModel(for: model, hash: "h", compile: compiler.compile)
    try FileManager.default.removeItem(at: url.appendingPathComponent("coremldata.bin"))
    let again = try await cache().compiledModel(for: model, hash: "h", compile: compiler.compile)
    #expect(again == url)
    #expect(try ModelLocator.inspect(url).kind == .mlmodelc)
    #expect(await compiler.count == 2)
    #expect(try names(".partial").isEmpty)
  }

  @Test func whatADeadProcessLeftIsRemovedAndWhatALiveOneWritesIsNot() async throws {
    try folder.write("x", to: "cache/EmotionNet/.19990-dead.partial/coremldata.bin")
    try folder.write("x", to: "cache/EmotionNet/.20000-live.partial/coremldata.bin")
    let compiler = FakeCompiler(folder: folder.url)
    _ = try await cache().compiledModel(for: model, hash: "h", compile: compiler.compile)
    #expect(try names(".partial") == [".20000-live.partial"])
  }

  /// Caches of their own know nothing of each other, as those of two processes.
  @Test func theSlowerOfTwoProcessesTakesTheFastersModel() async throws {
    let compiler = FakeCompiler(folder: folder.url)
    let model = model
    let urls = try await withThrowingTaskGroup(of: URL.self) { group in
      for _ in 0..<8 {
        let cache = cache()
        group.addTask {
          try await cache.compiledModel(for: model, hash: "h", compile: compiler.compile)
        }
      }
      return try await group.reduce(into: Set<URL>()) { $0.insert($1) }
    }
    let url = try #require(urls.first)
    #expect(urls.count == 1)
    #expect(await compiler.count > 1)
    #expect(try ModelLocator.inspect(url).kind == .mlmodelc)
    #expect(try names() == [url.lastPathComponent, url.lastPathComponent + ".used"])
    // Nor is there anything left of the losers where they compiled.
    #expect(try await compiler.leftovers().isEmpty)
  }

  @Test(arguments: [FullDisk.Step.createFolder, .moveIn, .moveUp])
  func onAFullDiskTheErrorSaysSoAndNothingIsLeft(step: FullDisk.Step) async throws {
    let compiler = FakeCompiler(folder: folder.url)
    let cacheFolder = folder.url.appendingPathComponent("cache/EmotionNet")
    do {
      _ = try await cache(storage: FullDisk(failing: step)).compiledModel(
        for: model, hash: "h", compile: compiler.compile)
      Issue.record("stored a model on a full disk")
    } catch let error as EmotionKitError {
      #expect(error == .storageFailed(cacheFolder, reason: "there is no space left"))
      #expect(
        error.errorDescription
          == "The model cannot be stored at \(cacheFolder.path): there is no space left.")
      #expect(error.recoverySuggestion?.contains("Free some space") == true)
    }
    #expect(try step == .createFolder || names().isEmpty)
    #expect(try await compiler.leftovers().isEmpty)
    // With space it works.
    _ = try await cache().compiledModel(for: model, hash: "h", compile: compiler.compile)
    #expect(try names(".mlmodelc").count == 1)
  }

  @Test func aMarkerThatCannotBeWrittenIsNoReasonToFail() async throws {
    let compiler = FakeCompiler(folder: folder.url)
    let url = try await cache(storage: FullDisk(failing: .write)).compiledModel(
      for: model, hash: "h", compile: compiler.compile)
    #expect(try names() == [url.lastPathComponent])
  }

  @Test func aCompilerWithoutSpaceIsAMatterOfStorage() async throws {
    do {
      _ = try await cache().compiledModel(for: model, hash: "h") { _ in throw FullDisk.error }
      Issue.record("compiled on a full disk")
    } catch EmotionKitError.storageFailed(_, let reason) {
      #expect(reason == "there is no space left")
    }
    do {
      _ = try await cache().compiledModel(for: model, hash: "h") { _ in
        throw EmotionKitError.unsupportedModelFile(URL(fileURLWithPath: "/x"))
      }
      Issue.record("hid an error")
    } catch EmotionKitError.unsupportedModelFile {
    }
  }

  @Test func byDefaultItLivesInApplicationSupport() async throws {
    let place = CompiledModelCache.defaultDirectory
    // A folder for each app: unsandboxed ones share what lies above.
    #expect(place.deletingLastPathComponent().lastPathComponent == "EmotionKit")
    let own = Bundle.main.bundleIdentifier ?? ProcessInfo.processInfo.processName
    #expect(place.lastPathComponent == own && !own.isEmpty)
    // The ordinary initialiser, with this system's own name and today's date.
    let compiler = FakeCompiler(folder: folder.url)
    let cache = CompiledModelCache(directory: folder.url.appendingPathComponent("cache"))
    let url = try await cache.compiledModel(for: model, hash: "h", compile: compiler.compile)
    #expect(url.lastPathComponent.wholeMatch(of: /h-[A-Za-z0-9]+\.mlmodelc/) != nil)
  }

  @Test func theSystemIsNamedByNumbersWhateverItsLanguage() {
    let version = ProcessInfo.processInfo.operatingSystemVersion
    let numbers = "\(version.majorVersion).\(version.minorVersion).\(version.patchVersion)"
    #expect(SystemBuild.current.hasPrefix(numbers))
    // "Version 18.1 (Build 22B83)" is "Versión" elsewhere, and another cache with it.
    #expect(!SystemBuild.current.contains("ersi") && !SystemBuild.current.contains(" "))
  }
}

/// Counts, and writes what looks like a compiled model to a temporary place.
private actor FakeCompiler {
  struct Failure: Error {}
  private let folder: URL
  private var failures: Int
  private(set) var count = 0

  init(folder: URL, failures: Int = 0) {
    self.folder = folder
    self.failures = failures
  }

  @Sendable func compile(_ model: URL) async throws -> URL {
    count += 1
    let number = count
    // Let the other callers arrive while this one is at work.
    for _ in 0..<10 { await Task.yield() }
    if failures > 0 {
      failures -= 1
      throw Failure()
    }
    let url = folder.appendingPathComponent("tmp/\(number)/EmotionNet.mlmodelc")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    try Data("compiled".utf8).write(to: url.appendingPathComponent("coremldata.bin"))
    return url
  }

  /// Compiled models that nobody took or removed.
  func leftovers() throws -> [String] {
    let tmp = folder.appendingPathComponent("tmp").path
    return try FileManager.default.subpathsOfDirectory(atPath: tmp).filter {
      $0.hasSuffix(".mlmodelc")
    }
  }
}
