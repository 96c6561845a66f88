/// What became of the frames so far.
public struct PipelineStatistics: Hashable, Sendable {
  /// Frames handed in.
  public var submitted = 0
  /// Frames replaced by a newer one while the network was busy.
  public var replaced = 0
  /// Frames dropped to keep the rate, or because the app is in the background.
  public var skipped = 0
  /// Frames analysed to the end.
  public var analyzed = 0
  /// Frames whose analysis failed.
  public var failed = 0
  /// Time the last analysis took, on the pipeline's clock.
  public var lastLatency: Duration?
  /// Percentiles of each stage over the last ``LatencyRecorder/capacity`` analysed frames.
  public var latency: [PipelineStage: LatencySummary] = [:]

  /// Creates empty statistics.
  public init() {}

  /// Frames that were handed in and deliberately not analysed.
  public var dropped: Int { replaced + skipped }
}
