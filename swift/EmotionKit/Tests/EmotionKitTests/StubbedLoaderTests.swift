#if EMOTIONKIT_APPLE_STUBS
  import CoreML
  import Foundation
  import Testing

  @testable import EmotionKit

  extension StubbedAppleLayerTests {
    // MARK: Where models come from

    @Test func aModelIsDownloadedOnceAndCompiledOnce() async throws {
      let data = Data("a large model".utf8)
      var hash = SHA256()
      hash.update(data)
      let address = try #require(URL(string: "https://models.example/EmotionNet.mlmodel"))
      let remote = try RemoteModel(url: address, sha256: hash.finalize())
      let transport = OneFile(data: data)
      let loader = CoreMLModelLoader(
        cache: CompiledModelCache(directory: world.folder.appendingPathComponent("compiled")),
        downloader: ModelDownloader(
          directory: world.folder.appendingPathComponent("models"), transport: transport))
      for _ in 0..<2 {
        let prepared = try await loader.prepare(.download(remote))
        _ = try CoreMLModelLoader.open(prepared, units: .cpuOnly)
      }
      #expect(StubCoreML.compilations.count == 1)
      #expect(StubCoreML.compilations.first?.lastPathComponent == "EmotionNet.mlmodel")
      #expect(Set(StubCoreML.loadURLs).count == 1)
      #expect(await transport.requests == 1)
    }

    @Test func aDemonstrationModelAnnouncesItself() async throws {
      let announced = Announcements()
      let loader = CoreMLModelLoader(
        cache: CompiledModelCache(directory: world.folder.appendingPathComponent("cache")),
        announce: { announced.add($0) })
      let prepared = try await loader.prepare(.url(world.model))
      _ = try CoreMLModelLoader.open(prepared, units: .cpuOnly)
      #expect(announced.all.map(\.isDemo) == [true])
    }

    @Test func theContractMustBeTheManifests() async throws {
      let model = world.folder.appendingPathComponent("EmotionNet.mlmodel")
      let hash = try ModelManifest.contentHash(of: model)
      let manifest = """
        {"schema": "emotionkit.manifest", "version": 1,
         "model": {"name": "EmotionNet", "file": "EmotionNet.mlmodel", "format": "neuralnetwork",
                   "precision": "fp32", "bytes": 5, "sha256": "\(hash)",
                   "files": [{"path": "EmotionNet.mlmodel", "bytes": 5, "sha256": "\(hash)"}]},
         "contract": \(StubWorld.contract.replacingOccurrences(of: "0.3", with: "0.25")),
         "parity": {"verdict": "PASS", "gated": true, "runtime": "portable", "images": 1,
                    "max_abs_dp": 0, "top1_agreement": 1, "apple_runtime": "NOT RUN"},
         "created_with": {}, "created_at": "2026-01-01T00:00:00Z"}
        """
      try Data(manifest.utf8).write(to: world.folder.appendingPathComponent("manifest.json"))
      do {
        let prepared = try await world.loader.prepare(.url(world.model))
        _ = try CoreMLModelLoader.open(prepared, units: .cpuOnly)
        Issue.record("accepted a model with another crop margin than its manifest's")
      } catch EmotionKitError.contractMismatch("preprocess", let expected, let found) {
        #expect(expected.contains("0.25") && found.contains("0.3"))
      }
    }
  }

  /// A server with one file.
  private actor OneFile: ModelTransport {
    private let data: Data
    private(set) var requests = 0

    init(data: Data) {
      self.data = data
    }

    func get(
      _ request: TransportRequest,
      onResponse: @escaping @Sendable (TransportResponse) throws -> Void,
      onData: @escaping @Sendable (Data) throws -> Void
    ) async throws {
      requests += 1
      try onResponse(TransportResponse(status: 200))
      try onData(data)
    }
  }

  private final class Announcements: @unchecked Sendable {
    // Read and written under the lock.
    private let lock = NSLock()
    private var contracts: [ModelContract] = []

    var all: [ModelContract] { lock.withLock { contracts } }

    func add(_ contract: ModelContract) { lock.withLock { contracts.append(contract) } }
  }
#endif
