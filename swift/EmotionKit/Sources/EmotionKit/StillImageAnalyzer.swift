#if canImport(Vision)
  import Foundation

  /// Reads the expressions in single pictures, each by itself.
  ///
  ///     let analyzer = try await StillImageAnalyzer()
  ///     let readings = try await analyzer.analyze(contentsOf: photoURL)
  ///     print(readings.first?.dominant ?? "nobody")
  public struct StillImageAnalyzer: Sendable {
    /// What the model promises; `isDemo` says whether it learnt from real faces.
    public let contract: ModelContract

    private let analyzer: FrameAnalyzer<AnyFaceDetector, AnyEmotionClassifier>

    /// Loads the model.
    ///
    /// - Throws: ``EmotionKitError``.
    public init(
      configuration: EmotionConfiguration = EmotionConfiguration(),
      model: EmotionModelSource = .bundled
    ) async throws {
      self.init(
        engine: try await EmotionEngine.load(model, configuration: configuration),
        configuration: configuration)
    }

    init(engine: EmotionEngine, configuration: EmotionConfiguration) {
      contract = engine.classifier.contract
      analyzer = FrameAnalyzer(
        detector: engine.detector, classifier: engine.classifier,
        cropMargin: contract.preprocess.cropMargin, configuration: configuration.pipeline)
    }

    /// Analyses a frame made from a pixel buffer, a `CGImage` or data.
    ///
    /// - Returns: one reading for each face, largest first; empty when there is none.
    /// - Throws: ``EmotionKitError`` or `CancellationError`.
    public func analyze(_ frame: EmotionFrame) async throws -> [EmotionReading] {
      try await analyzer.readings(in: frame)
    }

    /// Analyses the bytes of an image file.
    ///
    /// - Throws: ``EmotionKitError`` or `CancellationError`.
    public func analyze(imageData: Data) async throws -> [EmotionReading] {
      try await analyze(EmotionFrame(imageData: imageData))
    }

    /// Analyses an image file.
    ///
    /// - Throws: ``EmotionKitError`` or `CancellationError`.
    public func analyze(contentsOf url: URL) async throws -> [EmotionReading] {
      try await analyze(EmotionFrame(contentsOf: url))
    }
  }
#endif
