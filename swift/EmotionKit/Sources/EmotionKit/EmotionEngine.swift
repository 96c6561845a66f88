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
    /// How the compute units were chosen, where the model has a canary.
    var canary: CanaryReport?

    var contract: ModelContract { base.contract }

    func classify(
      _ region: UnitRect, in frame: EmotionFrame
    ) async throws -> EmotionDistribution {
      try await base.classify(region, in: frame)
    }

    func diagnostics() async throws -> InferenceDiagnostics {
      let state = try await base.diagnostics()
      guard let canary else { return state }
      return InferenceDiagnostics(
        requested: canary.verdicts.first?.units ?? state.requested, active: state.active,
        fallbackReason: state.fallbackReason ?? canary.complaint,
        usesSwiftVision: state.usesSwiftVision,
        canary: canary)
    }

    func computePlan() async throws -> ComputePlan? { try await base.computePlan() }
  }

  /// A detector and a classifier that belong together.
  struct EmotionEngine: Sendable {
    let detector: AnyFaceDetector
    var classifier: AnyEmotionClassifier
    let fallback: FallbackReporter

    /// Finds, checks, compiles, opens and warms up the model, and has it answer its canary.
    ///
    /// - Throws: ``EmotionKitError``.
    static func load(
      _ source: EmotionModelSource, configuration: EmotionConfiguration,
      loader: CoreMLModelLoader = CoreMLModelLoader()
    ) async throws -> EmotionEngine {
      let prepared = try await loader.prepare(source)
      do {
        if configuration.canary != .off, let check = try loader.canaryCheck(of: prepared) {
          return try await checked(by: check, prepared, configuration)
        }
        let engine = try await open(prepared, configuration, units: configuration.computeUnits)
        try await engine.warmUp()
        return engine
      } catch is CancellationError {
        throw CancellationError()
      } catch let error as EmotionKitError {
        throw error
      } catch {
        throw EmotionKitError.inferenceFailed(reason: error.localizedDescription)
      }
    }

    /// The canary's faces warm the network up, too.
    private static func checked(
      by check: CanaryCheck, _ prepared: CoreMLModelLoader.Prepared,
      _ configuration: EmotionConfiguration
    ) async throws -> EmotionEngine {
      #if targetEnvironment(simulator)
        let candidates = [ComputeUnits.cpuOnly]
      #else
        let candidates = configuration.computeUnits.candidates
      #endif
      let side = check.canary.inputSize
      var (engine, report) = try await check.run(
        candidates, policy: configuration.canary,
        CanaryCheck.Handlers<EmotionEngine>(
          open: { try await open(prepared, configuration, units: $0) },
          state: {
            let state = try await $0.classifier.diagnostics()
            return CanaryCheck.State(active: state.active, reason: state.fallbackReason)
          },
          ask: {
            try await $0.classifier.classify(.full, in: EmotionFrame(rgb: $1.pixels, side: side))
          }))
      engine.classifier.canary = report
      if let complaint = report.complaint { engine.fallback.report(complaint) }
      return engine
    }

    private static func open(
      _ prepared: CoreMLModelLoader.Prepared, _ configuration: EmotionConfiguration,
      units: ComputeUnits
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
                prepared, units: units, queue: queue, fallback: fallback)),
            fallback: fallback)
        }
      #endif
      return EmotionEngine(
        detector: AnyFaceDetector(
          base: VisionFaceDetector(
            queue: queue, measuresQuality: configuration.measuresCaptureQuality)),
        classifier: AnyEmotionClassifier(
          base: try await CoreMLEmotionClassifier.open(
            prepared, units: units, queue: queue, fallback: fallback)),
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
