#if canImport(Vision)
  import Foundation

  /// Live emotions from the camera, or from frames the app brings itself.
  ///
  ///     let monitor = try await EmotionMonitor()
  ///     try await monitor.start(camera: .front)
  ///     for await event in monitor.events() {
  ///       if case .changed(let face, _, let emotion?, _) = event { print(face, emotion) }
  ///     }
  public actor EmotionMonitor {
    typealias Pipeline = EmotionPipeline<VisionFaceDetector, CoreMLEmotionClassifier>

    /// What the model promises; `isDemo` says whether it learnt from real faces.
    public nonisolated let contract: ModelContract

    private let classifier: CoreMLEmotionClassifier
    private let pipeline: Pipeline
    private let still: StillImageAnalyzer
    private let thermal: ThermalMonitor

    #if !os(visionOS) && !os(tvOS)
      private var camera: CameraSource?
      package private(set) var preview: CameraPreview?
    #endif

    /// Finds, checks, compiles, opens and warms up the model.
    ///
    /// The first launch compiles the model, which takes seconds; later ones are quick.
    ///
    /// - Throws: ``EmotionKitError``.
    public init(
      configuration: EmotionConfiguration = EmotionConfiguration(),
      model: EmotionModelSource = .bundled
    ) async throws {
      let engine = try await EmotionEngine.load(model, units: configuration.computeUnits)
      self.init(engine: engine, configuration: configuration)
    }

    init(engine: EmotionEngine, configuration: EmotionConfiguration) {
      classifier = engine.classifier
      contract = engine.classifier.contract
      still = StillImageAnalyzer(engine: engine, configuration: configuration)
      let pipeline = Pipeline(
        detector: engine.detector, classifier: engine.classifier,
        cropMargin: contract.preprocess.cropMargin, configuration: configuration.pipeline)
      self.pipeline = pipeline
      thermal = ThermalMonitor { [weak pipeline] level in
        Task { await pipeline?.setThermalLevel(level) }
      }
    }

    deinit { pipeline.finish() }

    /// All events from now on. Every call makes an independent stream; it ends when the monitor is
    /// released, not when the camera stops.
    public nonisolated func events() -> AsyncStream<EmotionEvent> {
      pipeline.events()
    }

    /// Hands in a frame of the app's own, from ARKit, a call or a video; returns at once.
    ///
    /// - Parameter time: when it was taken, on a clock that is the same for all frames; nil for
    ///   now.
    public nonisolated func submit(_ frame: EmotionFrame, at time: Duration? = nil) {
      pipeline.submit(frame, at: time)
    }

    /// Analyses one picture by itself, without smoothing and without touching the live session.
    ///
    /// - Throws: ``EmotionKitError`` or `CancellationError`.
    public nonisolated func analyze(_ frame: EmotionFrame) async throws -> [EmotionReading] {
      try await still.analyze(frame)
    }

    /// What became of the frames so far.
    public var statistics: PipelineStatistics {
      get async { await pipeline.statistics }
    }

    /// What the network runs on, and why if that is not what was asked for.
    public func diagnostics() async throws -> InferenceDiagnostics {
      try await classifier.diagnostics()
    }
  }

  #if !os(visionOS) && !os(tvOS)
    extension EmotionMonitor {
      /// Starts the camera, asking for permission if needed. Does nothing when it runs already.
      ///
      /// - Throws: ``EmotionKitError/cameraUnauthorized`` or
      ///   ``EmotionKitError/cameraUnavailable(reason:)``.
      public func start(camera position: CameraPosition = .front) async throws {
        guard camera == nil else { return }
        let source = CameraSource(
          position: position,
          onFrame: { [weak pipeline] frame, time in pipeline?.submit(frame, at: time) },
          onInterruption: { [weak pipeline] reason in
            Task { await pipeline?.setInterruption(reason) }
          })
        // Set before waiting: a second start during the permission dialogue must not make another.
        camera = source
        do {
          let preview = try await source.start()
          guard camera === source else {
            // Stopped while it was starting.
            try await source.stop()
            return
          }
          self.preview = preview
        } catch {
          if camera === source { camera = nil }
          throw error
        }
      }

      /// Stops the camera and reports every face as lost. It can be started again.
      public func stop() async throws {
        guard let source = camera else { return }
        camera = nil
        preview = nil
        try await source.stop()
        await pipeline.reset()
      }

      /// Tells how the device is held. Needed on iOS 16 only; later systems know.
      public func setDeviceOrientation(_ orientation: DeviceOrientation) {
        camera?.setDeviceOrientation(orientation)
      }
    }
  #endif
#endif
