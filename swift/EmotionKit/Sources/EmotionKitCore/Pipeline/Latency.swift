/// The steps a frame goes through, in their order.
@_spi(Diagnostics) public enum PipelineStage: String, CaseIterable, Hashable, Sendable {
  /// From being handed in to the start of its analysis.
  case waiting
  /// Finding the faces, and measuring their capture quality.
  case detection
  /// Running the network on all chosen faces.
  case classification
  /// From being handed in to its events.
  case total
}

/// How long one stage took over the last frames.
@_spi(Diagnostics) public struct LatencySummary: Hashable, Sendable {
  /// How many frames the figures are of; at most 256.
  public let samples: Int
  /// Half of the frames were no slower.
  public let p50: Duration
  /// Nine of ten frames were no slower.
  public let p90: Duration
  /// 99 of 100 frames were no slower.
  public let p99: Duration
  /// The slowest frame.
  public let maximum: Duration

  /// Summarises durations by nearest rank: every figure is one that was measured.
  ///
  /// - Returns: nil when there are none.
  /// - Complexity: O(*n* log *n*).
  package init?(_ durations: [Duration]) {
    let sorted = durations.sorted()
    guard let slowest = sorted.last else { return nil }
    func rank(_ percent: Int) -> Duration {
      sorted[(sorted.count * percent + 99) / 100 - 1]
    }
    samples = sorted.count
    (p50, p90, p99) = (rank(50), rank(90), rank(99))
    maximum = slowest
  }
}

/// Remembers the last durations of each stage, and forgets older ones.
package struct LatencyRecorder: Sendable {
  /// Frames remembered: at 12 a second, the last 21 seconds.
  package static let capacity = 256

  private var durations: [PipelineStage: [Duration]] = [:]
  private var next: [PipelineStage: Int] = [:]

  /// Creates an empty recorder.
  package init() {}

  /// Takes one duration.
  ///
  /// - Complexity: O(1).
  package mutating func record(_ duration: Duration, for stage: PipelineStage) {
    let slot = next[stage, default: 0]
    if slot < durations[stage, default: []].count {
      durations[stage, default: []][slot] = duration
    } else {
      durations[stage, default: []].append(duration)
    }
    next[stage] = (slot + 1) % Self.capacity
  }

  /// The figures of every stage that was recorded.
  ///
  /// - Complexity: O(*n* log *n*) in the remembered durations; nothing is sorted before it is asked.
  package var summaries: [PipelineStage: LatencySummary] {
    durations.compactMapValues { LatencySummary($0) }
  }
}
