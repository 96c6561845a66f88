/// What became of the frames so far.
public struct PipelineStatistics: Hashable, Sendable {
  /// Frames handed in.
  public package(set) var submitted = 0
  /// Frames replaced by a newer one while the network was busy.
  public package(set) var replaced = 0
  /// Frames dropped to keep the rate, or because the app is in the background.
  public package(set) var skipped = 0
  /// Frames analysed to the end.
  public package(set) var analyzed = 0
  /// Frames whose analysis failed.
  public package(set) var failed = 0
  /// Time the last analysis took, on the pipeline's clock.
  public package(set) var lastLatency: Duration?
  /// Percentiles of each stage over the last 256 analysed frames.
  @_spi(Diagnostics) public package(set) var latency: [PipelineStage: LatencySummary] = [:]

  /// Creates empty statistics.
  package init() {}

  /// Frames that were handed in and deliberately not analysed.
  public var dropped: Int { replaced + skipped }
}
