#if canImport(Vision)
  /// A classifier that can say what it runs on.
  protocol EngineClassifying: EmotionClassifying where Frame == EmotionFrame {
    var contract: ModelContract { get }
    func diagnostics() async throws -> InferenceDiagnostics
    func computePlan() async throws -> ComputePlan?
  }

  /// Either Vision interface's detector, behind one type.
  struct AnyFaceDetector: FaceDetecting {
    let base: any FaceDetecting<EmotionFrame>

    func faces(in frame: EmotionFrame) async throws -> [DetectedFace] {
      try await base.faces(in: frame)
    }
  }

  /// Either Vision interface's classifier, behind one type.
  struct AnyEmotionClassifier: EngineClassifying {
    let base: any EngineClassifying

    var contract: ModelContract { base.contract }

    func classify(
      _ region: UnitRect, in frame: EmotionFrame
    ) async throws -> EmotionDistribution {
      try await base.classify(region, in: frame)
    }

    func diagnostics() async throws -> InferenceDiagnostics { try await base.diagnostics() }

    func computePlan() async throws -> ComputePlan? { try await base.computePlan() }
  }

  /// A detector and a classifier that belong together.
  struct EmotionEngine: Sendable {
    let detector: AnyFaceDetector
    let classifier: AnyEmotionClassifier
    let fallback: FallbackReporter

    /// Finds, checks, compiles, opens and warms up the model.
    ///
    /// - Throws: ``EmotionKitError``.
    static func load(
      _ source: EmotionModelSource, configuration: EmotionConfiguration,
      loader: CoreMLModelLoader = CoreMLModelLoader()
    ) async throws -> EmotionEngine {
      let engine = try await open(loader.prepare(source), configuration)
      do {
        try await engine.warmUp()
      } catch let error as EmotionKitError {
        throw error
      } catch {
        throw EmotionKitError.inferenceFailed(reason: error.localizedDescription)
      }
      return engine
    }

    private static func open(
      _ prepared: CoreMLModelLoader.Prepared, _ configuration: EmotionConfiguration
    ) async throws -> EmotionEngine {
      let queue = VisionQueue()
      let fallback = FallbackReporter()
      // Apple lists the Swift-only interface for every system but Mac Catalyst.
      #if !targetEnvironment(simulator) && !targetEnvironment(macCatalyst)
        if configuration.usesSwiftVision,
          #available(iOS 18.0, macOS 15.0, tvOS 18.0, visionOS 2.0, *)
        {
          return EmotionEngine(
            detector: AnyFaceDetector(
              base: SwiftVisionDetector(measuresQuality: configuration.measuresCaptureQuality)),
            classifier: AnyEmotionClassifier(
              base: try await SwiftVisionClassifier.open(
                prepared, units: configuration.computeUnits, queue: queue, fallback: fallback)),
            fallback: fallback)
        }
      #endif
      return EmotionEngine(
        detector: AnyFaceDetector(
          base: VisionFaceDetector(
            queue: queue, measuresQuality: configuration.measuresCaptureQuality)),
        classifier: AnyEmotionClassifier(
          base: try await CoreMLEmotionClassifier.open(
            prepared, units: configuration.computeUnits, queue: queue, fallback: fallback)),
        fallback: fallback)
    }

    /// Runs the network once on a black image: the first prediction is slow, because Core ML
    /// prepares the hardware then.
    private func warmUp() async throws {
      let frame = try EmotionFrame(blackSquare: classifier.contract.preprocess.inputSize)
      _ = try await classifier.classify(.full, in: frame)
    }
  }
#endif
