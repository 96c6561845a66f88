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

  private func cache(osBuild: String = "Version 1 (Build 1A)") -> CompiledModelCache {
    CompiledModelCache(directory: folder.url.appendingPathComponent("cache"), osBuild: osBuild)
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

  @Test func aNewModelOrSystemCompilesAgainAndRemovesTheOld() async throws {
    let compiler = FakeCompiler(folder: folder.url)
    let first = try await cache().compiledModel(
      for: model, hash: SHA256.hex("1"), compile: compiler.compile)
    let second = try await cache().compiledModel(
      for: model, hash: SHA256.hex("2"), compile: compiler.compile)
    let third = try await cache(osBuild: "Version 2").compiledModel(
      for: model, hash: SHA256.hex("2"), compile: compiler.compile)
    #expect(Set([first, second, third]).count == 3)
    #expect(await compiler.count == 3)
    let left = try FileManager.default.contentsOfDirectory(
      atPath: third.deletingLastPathComponent().path)
    #expect(left == [third.lastPathComponent])
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
    let siblings = try FileManager.default.contentsOfDirectory(
      atPath: url.deletingLastPathComponent().path)
    #expect(siblings == [url.lastPathComponent])
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
    // Let the other callers arrive while this one is at work.
    for _ in 0..<10 { await Task.yield() }
    if failures > 0 {
      failures -= 1
      throw Failure()
    }
    let url = folder.appendingPathComponent("tmp-\(count)/EmotionNet.mlmodelc")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    try Data("compiled".utf8).write(to: url.appendingPathComponent("coremldata.bin"))
    return url
  }
}
