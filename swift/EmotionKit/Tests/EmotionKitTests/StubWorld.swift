#if EMOTIONKIT_APPLE_STUBS
  import AVFoundation
  import CoreML
  import Foundation
  import Vision

  @testable import EmotionKit

  /// A fresh set of scripts, a model on disk and an empty cache.
  final class StubWorld: Sendable {
    let folder: URL
    let model: URL
    let loader: CoreMLModelLoader

    static let contract = """
      {"schema": "emotionkit.contract", "version": 1, "architecture": "efficientnet_b0",
       "labels": ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral",
                  "contempt"],
       "preprocess": {"crop_margin": 0.3, "input_size": 48, "resize": "bilinear-antialias",
                      "color": "gray", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
       "input": "image",
       "outputs": {"label": "classLabel", "probabilities": "classLabel_probs"},
       "checkpoint_sha256": "\(String(repeating: "ab", count: 32))", "demo": true}
      """

    init() throws {
      folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      model = folder.appendingPathComponent("EmotionNet.mlmodel")
      try Data("model".utf8).write(to: model)
      loader = CoreMLModelLoader(
        cache: CompiledModelCache(directory: folder.appendingPathComponent("cache")),
        memory: CanaryMemory(
          directory: folder.appendingPathComponent("canary"), system: "26.0-1A", device: "stub"))

      var coreML = StubCoreML.Script()
      coreML.userDefined = [ModelContract.metadataKey: Self.contract]
      coreML.classLabels = Emotion.known.map(\.rawValue)
      StubCoreML.reset(coreML)
      var vision = StubVision.Script()
      vision.classifications = Emotion.known.map {
        ($0.rawValue, $0 == .happiness ? 0.93 : 0.01)
      }
      StubVision.reset(vision)
      StubCamera.reset(StubCamera.Script())
      StubVideo.reset(StubVideo.Script())
      StubThermal.reset()
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Changes the script and forgets what was recorded.
    func coreML(_ change: (inout StubCoreML.Script) -> Void) {
      var script = StubCoreML.script
      change(&script)
      StubCoreML.reset(script)
    }

    /// Changes the script and forgets what was recorded.
    func vision(_ change: (inout StubVision.Script) -> Void) {
      var script = StubVision.script
      change(&script)
      StubVision.reset(script)
    }

    func engine(
      _ configuration: EmotionConfiguration = EmotionConfiguration()
    ) async throws -> EmotionEngine {
      try await EmotionEngine.load(.url(model), configuration: configuration, loader: loader)
    }

    func analyzer(
      _ configuration: EmotionConfiguration = EmotionConfiguration()
    ) async throws -> StillImageAnalyzer {
      StillImageAnalyzer(engine: try await engine(configuration), configuration: configuration)
    }

    func monitor(
      _ configuration: EmotionConfiguration = EmotionConfiguration()
    ) async throws -> EmotionMonitor {
      await EmotionMonitor(engine: try await engine(configuration), configuration: configuration)
    }

    /// 640 x 480 pixels, upright.
    func frame() -> EmotionFrame {
      EmotionFrame(cgImage: CGImage(stubWidth: 640, height: 480))
    }
  }
#endif
