/// All settings of an ``EmotionMonitor``.
public struct EmotionConfiguration: Hashable, Sendable {
  /// How faces are chosen, smoothed and decided about, and how often.
  public var pipeline: PipelineConfiguration
  /// What Core ML may run on.
  public var computeUnits: ComputeUnits

  /// Creates a configuration; the defaults suit a live camera.
  public init(
    pipeline: PipelineConfiguration = PipelineConfiguration(),
    computeUnits: ComputeUnits = .cpuAndNeuralEngine
  ) {
    self.pipeline = pipeline
    self.computeUnits = computeUnits
  }
}
