/// All settings of an ``EmotionMonitor``.
public struct EmotionConfiguration: Hashable, Sendable {
  /// How faces are chosen, smoothed and decided about, and how often.
  public var pipeline: PipelineConfiguration
  /// What Core ML may run on.
  public var computeUnits: ComputeUnits
  /// Measure each face's capture quality, so that blurred and badly lit frames count less. Costs
  /// one more Vision request for each analysed frame.
  public var measuresCaptureQuality: Bool
  /// Ask Vision through its Swift-only interface of iOS 18, macOS 15 and visionOS 2 instead of the `VN`
  /// classes. Both find the same faces and run the same network. On older systems, on Mac Catalyst and
  /// in the simulator the classes are used in its place;
  /// ``InferenceDiagnostics/usesSwiftVision`` says which it was.
  public var usesSwiftVision: Bool
  /// What follows when the compute units answer the model's canary wrongly.
  public var canary: CanaryPolicy
  /// Frames a second that the camera captures at most, for the preview, too; nil leaves it the rate of
  /// its own, usually 30. Twice the analysis rate looks smooth and keeps the device cool.
  public var captureRate: Double?

  /// Creates a configuration; the defaults suit a live camera.
  public init(
    pipeline: PipelineConfiguration = PipelineConfiguration(),
    computeUnits: ComputeUnits = .cpuAndNeuralEngine, measuresCaptureQuality: Bool = true,
    usesSwiftVision: Bool = false, captureRate: Double? = 24, canary: CanaryPolicy = .enforced
  ) {
    self.pipeline = pipeline
    self.computeUnits = computeUnits
    self.measuresCaptureQuality = measuresCaptureQuality
    self.usesSwiftVision = usesSwiftVision
    self.captureRate = captureRate
    self.canary = canary
  }
}
