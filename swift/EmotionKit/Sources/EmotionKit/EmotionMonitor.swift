#if canImport(Vision)
  import Foundation

  /// Live emotions from the camera, or from frames the app brings itself.
  ///
  ///     let monitor = try await EmotionMonitor()
  ///     try await monitor.start(camera: .front)
  ///     for await event in monitor.events() {
  ///       if case .changed(let face, _, let emotion?, _) = event {
  ///         print(face, emotion)
  ///       }
  ///     }
  public actor EmotionMonitor {
    typealias Pipeline = EmotionPipeline<AnyFaceDetector, AnyEmotionClassifier>

    /// What the model promises; `isDemo` says whether it learnt from real faces.
    public nonisolated let contract: ModelContract

    private let engine: EmotionEngine
    private let pipeline: Pipeline
    private let still: StillImageAnalyzer
    private let signals: PipelineSignals
    private let configuration: EmotionConfiguration
    private let thermal: ThermalMonitor
    /// Retained for what it reports; an `AppActivityMonitor` where there is UIKit.
    private let activity: (any Sendable)?

    #if !os(visionOS) && !os(tvOS) && !os(watchOS)
      private var camera: CameraSource?
      /// The camera before, on its way out.
      private var stopping: Task<Void, any Error>?
      package private(set) var preview: CameraPreview?
      #if canImport(UIKit)
        private var deviceOrientation: DeviceOrientationMonitor?
      #endif
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
      let engine = try await EmotionEngine.load(model, configuration: configuration)
      await self.init(engine: engine, configuration: configuration)
    }

    init(engine: EmotionEngine, configuration: EmotionConfiguration) async {
      let pipeline = Pipeline(
        detector: engine.detector, classifier: engine.classifier,
        cropMargin: engine.classifier.contract.preprocess.cropMargin,
        configuration: configuration.pipeline)
      let signals = PipelineSignals(to: pipeline)
      // Made before the actor: compilers of 6.0 stumble over a wait for the main actor in its init.
      #if canImport(UIKit)
        let activity = await AppActivityMonitor { signals.send(.background($0)) }
      #else
        let activity: (any Sendable)? = nil
      #endif
      self.init(engine, configuration, pipeline, signals, activity)
    }

    private init(
      _ engine: EmotionEngine, _ configuration: EmotionConfiguration, _ pipeline: Pipeline,
      _ signals: PipelineSignals, _ activity: (any Sendable)?
    ) {
      self.engine = engine
      self.configuration = configuration
      self.pipeline = pipeline
      self.signals = signals
      self.activity = activity
      contract = engine.classifier.contract
      still = StillImageAnalyzer(engine: engine, configuration: configuration)
      thermal = ThermalMonitor { signals.send(.temperature($0)) }
      engine.fallback.onReport { signals.send(.fallback($0)) }
    }

    deinit { pipeline.finish() }

    /// All events from now on. Every call makes an independent stream; it ends when the monitor is
    /// released, not when the camera stops.
    ///
    /// The stream begins with what holds at this moment: an interruption, heat, a fallback.
    ///
    /// - Parameter bufferSize: how many events wait for a listener that is busy. Beyond it the
    ///   oldest are lost. Every ``EmotionEvent/frame(_:)`` is complete, so a listener that only
    ///   draws may ask for 1.
    public nonisolated func events(
      bufferingNewest bufferSize: Int = 256
    ) -> AsyncStream<EmotionEvent> {
      pipeline.events(bufferingNewest: bufferSize)
    }

    /// Hands in a frame of the app's own, from ARKit, a call or a player; returns at once.
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

    /// What became of the frames so far, and how long they took.
    public var statistics: PipelineStatistics {
      get async { await pipeline.statistics }
    }

    /// What the network runs on, and why if that is not what was asked for.
    public func diagnostics() async throws -> InferenceDiagnostics {
      try await engine.classifier.diagnostics()
    }

    /// Where Core ML intends to run each operation of the network. Takes as long as loading it.
    ///
    /// - Returns: nil before iOS 17.4, macOS 14.4 and visionOS 1.1.
    /// - Throws: ``EmotionKitError/modelLoadFailed(_:reason:)``.
    @_spi(Diagnostics) public func computePlan() async throws -> ComputePlan? {
      try await engine.classifier.computePlan()
    }
  }

  #if !os(visionOS) && !os(tvOS) && !os(watchOS)
    extension EmotionMonitor {
      /// Starts the camera, asking for permission if needed. With another camera running, changes to
      /// this one, and every face is reported as lost; with this one running, does nothing.
      ///
      /// - Throws: ``EmotionKitError/cameraUnauthorized`` or
      ///   ``EmotionKitError/cameraUnavailable(reason:)``.
      public func start(camera position: CameraPosition = .front) async throws {
        if let camera {
          guard camera.position != position else { return }
          try await stop()
        }
        // The camera before has to be free, and its faces lost, before there is another.
        while let stopping {
          _ = await stopping.result
          if self.stopping == stopping { self.stopping = nil }
        }
        // Another start may have been first; whoever comes later decides.
        guard camera == nil else { return try await start(camera: position) }
        let source = CameraSource(
          position: position, frameRate: configuration.captureRate, handlers: handlers(position))
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
          await followDeviceOrientation()
        } catch {
          if camera === source { camera = nil }
          throw error
        }
      }

      /// Stops the camera and reports every face as lost. It can be started again.
      public func stop() async throws {
        guard let source = camera else {
          try await stopping?.value
          return
        }
        camera = nil
        preview = nil
        let task = Task { [pipeline, signals] in
          try await source.stop()
          signals.send(.cameraPressure(.nominal))
          await pipeline.endInterruption()
          await pipeline.reset()
        }
        stopping = task
        #if canImport(UIKit)
          await deviceOrientation?.stop()
          deviceOrientation = nil
        #endif
        try await task.value
      }

      /// Tells how the device is held, for an app that knows better than the device: one whose
      /// window is locked, on iOS 16. Later systems know, and ignore it.
      package func setDeviceOrientation(_ orientation: DeviceOrientation) {
        camera?.setDeviceOrientation(orientation)
      }

      /// Forgets a camera that ended by itself, so that it can be started again, and says why.
      private func fail(_ position: CameraPosition, _ error: EmotionKitError) async {
        guard camera?.position == position else { return }
        try? await stop()
        await pipeline.report(error)
      }

      private func handlers(_ position: CameraPosition) -> CameraSource.Handlers {
        CameraSource.Handlers(
          frame: { [weak pipeline] frame, time in pipeline?.submit(frame, at: time) },
          interruption: { [signals] in signals.send(.interruption($0)) },
          pressure: { [signals] in signals.send(.cameraPressure($0)) },
          failure: { [weak self] error in
            Task { [weak self] in await self?.fail(position, error) }
          })
      }

      private func followDeviceOrientation() async {
        #if canImport(UIKit)
          if #available(iOS 17.0, *) { return }
          deviceOrientation = await DeviceOrientationMonitor { [weak self] orientation in
            Task { [weak self] in await self?.setDeviceOrientation(orientation) }
          }
        #endif
      }
    }
  #endif
#endif
