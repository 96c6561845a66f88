/// Turns smoothed probabilities into one steady answer, or none.
///
/// An emotion becomes the answer when it is the most probable and reaches `enter`; it stays the
/// answer until another does the same or it falls below `leave`, and never for less than
/// `minimumDwell`. In between the answer is nil: uncertain.
package struct HysteresisDecider: Sendable {
  /// Probability at which an emotion becomes the answer.
  package let enter: Double
  /// Probability below which the answer is given up.
  package let leave: Double
  /// The shortest time between two changes.
  package let minimumDwell: Duration

  /// The answer now; nil is uncertain.
  package private(set) var current: Emotion?
  private var changedAt: Duration?

  /// Creates a decider that is uncertain. `leave` is lowered to `enter` if it is above.
  package init(
    enter: Double = 0.55, leave: Double = 0.40, minimumDwell: Duration = .milliseconds(400)
  ) {
    self.enter = enter
    self.leave = min(leave, enter)
    self.minimumDwell = minimumDwell
  }

  /// Takes one distribution and returns the answer.
  ///
  /// - Complexity: O(1).
  package mutating func update(
    _ distribution: EmotionDistribution, at time: Duration
  ) -> Emotion? {
    let proposed = proposal(for: distribution)
    guard proposed != current else { return current }
    if let changedAt, time - changedAt < minimumDwell { return current }
    current = proposed
    changedAt = time
    return current
  }

  private func proposal(for distribution: EmotionDistribution) -> Emotion? {
    let top = distribution.top
    if top.probability >= enter { return top.emotion }
    if let current, distribution[current] >= leave { return current }
    return nil
  }
}
