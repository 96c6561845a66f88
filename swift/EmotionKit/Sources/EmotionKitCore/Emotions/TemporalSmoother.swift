import Foundation

/// Averages one face's distributions over time, so that a label does not flicker.
///
/// An exponential moving average whose weight follows from the time passed, `1 - exp(-dt / tau)`:
/// the result does not depend on the frame rate. A blurred or badly lit frame can be given less
/// weight. After a gap the past is dropped.
package struct TemporalSmoother: Sendable {
  /// After this long, a change has arrived to 63 %. Zero switches smoothing off.
  package let timeConstant: Duration
  /// A longer pause than this starts afresh.
  package let resetGap: Duration

  /// No frame counts for less: a face that is dark for minutes still has to get an answer.
  static let minimumWeight = 0.05

  private struct State: Sendable {
    var distribution: EmotionDistribution
    /// The average weight of the past, which is what the next frame's weight is measured against.
    var mass: Double
    var time: Duration
  }

  private var state: State?

  /// Creates a smoother without a past.
  package init(timeConstant: Duration = .milliseconds(400), resetGap: Duration = .seconds(1)) {
    self.timeConstant = timeConstant
    self.resetGap = resetGap
  }

  /// Takes one distribution and returns the smoothed one.
  ///
  /// The first, the first after a gap, and the first of a model with other labels is returned
  /// unchanged. A time that does not advance
  /// leaves the average as it is.
  ///
  /// - Parameter weight: how much the frame counts, such as a face's capture quality. Only its
  ///   ratio to the weights of the frames before matters: a face that is always at 0.3 is smoothed
  ///   like one that is always at 0.9. Clamped to `0.05...1`; what is not finite counts as 1.
  /// - Complexity: O(1).
  package mutating func update(
    _ distribution: EmotionDistribution, at time: Duration, weight: Double = 1
  ) -> EmotionDistribution {
    let weight = weight.isFinite ? min(max(weight, Self.minimumWeight), 1) : 1
    guard let state, time - state.time <= resetGap, timeConstant > .zero,
      state.distribution.labels == distribution.labels
    else {
      self.state = State(distribution: distribution, mass: weight, time: time)
      return distribution
    }
    guard time > state.time else { return state.distribution }
    let decay = exp(-(time - state.time).inSeconds / timeConstant.inSeconds)
    let kept = state.mass * decay
    let added = weight * (1 - decay)
    let smoothed = state.distribution.mixed(with: distribution, weight: added / (kept + added))
    self.state = State(distribution: smoothed, mass: kept + added, time: time)
    return smoothed
  }
}
