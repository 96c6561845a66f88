#if canImport(Vision) && !os(visionOS) && !os(tvOS) && !os(watchOS)
  /// A camera as an ``EmotionSource``: loads the model when it is started first, and keeps it.
  public actor CameraEmotionSource: EmotionSource {
    private let load: @Sendable () async throws -> EmotionMonitor
    private var loading: Task<EmotionMonitor, any Error>?
    private var camera: CameraPosition

    /// Creates a source that will load a model.
    public init(
      camera: CameraPosition = .front,
      configuration: EmotionConfiguration = EmotionConfiguration(),
      model: EmotionModelSource = .bundled
    ) {
      self.camera = camera
      load = { try await EmotionMonitor(configuration: configuration, model: model) }
    }

    /// Creates a source of a monitor the app already has, for instance to read its diagnostics.
    public init(monitor: EmotionMonitor, camera: CameraPosition = .front) {
      self.camera = camera
      load = { monitor }
    }

    /// Loads the model if needed and starts the camera, asking for permission if needed.
    ///
    /// - Throws: ``EmotionKitError``. A second start tries everything again.
    public func start() async throws -> AsyncStream<EmotionEvent> {
      let monitor = try await monitor()
      let events = monitor.events()
      try await monitor.start(camera: camera)
      return events
    }

    /// Stops the camera.
    public func stop() async {
      try? await loaded?.stop()
    }

    /// Chooses the camera for the next start.
    package func select(_ position: CameraPosition) {
      camera = position
    }

    /// What a preview layer shows; nil while the camera is stopped.
    package var preview: CameraPreview? {
      get async { await loaded?.preview }
    }

    /// True when the loaded model learnt from drawn faces.
    package var isDemo: Bool {
      get async { await loaded?.contract.isDemo ?? false }
    }

    /// The monitor, if loading it has not failed; waits while it is being loaded.
    private var loaded: EmotionMonitor? {
      get async { try? await loading?.value }
    }

    private func monitor() async throws -> EmotionMonitor {
      let task = loading ?? Task { [load] in try await load() }
      loading = task
      do {
        return try await task.value
      } catch {
        loading = nil
        throw error
      }
    }
  }
#endif
