import Foundation

/// Averages one face's distributions over time, so that a label does not flicker.
///
/// An exponential moving average whose weight follows from the time passed, `1 - exp(-dt / tau)`:
/// the result does not depend on the frame rate. After a gap the past is dropped.
public struct TemporalSmoother: Sendable {
  /// After this long, a change has arrived to 63 %. Zero switches smoothing off.
  public let timeConstant: Duration
  /// A longer pause than this starts afresh.
  public let resetGap: Duration

  private var state: (distribution: EmotionDistribution, time: Duration)?

  /// Creates a smoother without a past.
  public init(timeConstant: Duration = .milliseconds(400), resetGap: Duration = .seconds(1)) {
    self.timeConstant = timeConstant
    self.resetGap = resetGap
  }

  /// Takes one distribution and returns the smoothed one.
  ///
  /// The first, and the first after a gap, is returned unchanged. A time that does not advance
  /// leaves the average as it is.
  ///
  /// - Complexity: O(1).
  public mutating func update(
    _ distribution: EmotionDistribution, at time: Duration
  ) -> EmotionDistribution {
    guard let state, time - state.time <= resetGap, timeConstant > .zero else {
      self.state = (distribution, time)
      return distribution
    }
    guard time > state.time else { return state.distribution }
    let weight = 1 - exp(-(time - state.time).inSeconds / timeConstant.inSeconds)
    let smoothed = state.distribution.mixed(with: distribution, weight: weight)
    self.state = (smoothed, time)
    return smoothed
  }
}
