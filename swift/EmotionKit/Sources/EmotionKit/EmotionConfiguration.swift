/// Which of Apple's two Vision interfaces is used. Both find the same faces and run the same network.
public enum VisionBackend: String, CaseIterable, Hashable, Sendable {
  /// The `VN` classes: every supported system, years of use. The default.
  case vn
  /// The Swift-only interface of iOS 18, macOS 15 and visionOS 2. On older systems, and in the
  /// simulator, ``vn`` is used in its place; ``InferenceDiagnostics/backend`` says which it was.
  case swift
}

/// All settings of an ``EmotionMonitor``.
public struct EmotionConfiguration: Hashable, Sendable {
  /// How faces are chosen, smoothed and decided about, and how often.
  public var pipeline: PipelineConfiguration
  /// What Core ML may run on.
  public var computeUnits: ComputeUnits
  /// Measure each face's capture quality, so that blurred and badly lit frames count less. Costs
  /// one more Vision request for each analysed frame.
  public var measuresCaptureQuality: Bool
  /// Which Vision interface is used.
  public var backend: VisionBackend
  /// Frames a second that the camera captures at most, for the preview, too; nil leaves it the rate of
  /// its own, usually 30. Twice the analysis rate looks smooth and keeps the device cool.
  public var captureRate: Double?

  /// Creates a configuration; the defaults suit a live camera.
  public init(
    pipeline: PipelineConfiguration = PipelineConfiguration(),
    computeUnits: ComputeUnits = .cpuAndNeuralEngine, measuresCaptureQuality: Bool = true,
    backend: VisionBackend = .vn, captureRate: Double? = 24
  ) {
    self.pipeline = pipeline
    self.computeUnits = computeUnits
    self.measuresCaptureQuality = measuresCaptureQuality
    self.backend = backend
    self.captureRate = captureRate
  }
}
