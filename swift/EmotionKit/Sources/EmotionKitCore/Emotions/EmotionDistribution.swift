import Foundation

/// Eight probabilities, one for each ``Emotion``, that sum to one.
///
///     let face = try EmotionDistribution(labelled: ["happiness": 0.9, "neutral": 0.1, /* … */])
///     face.top.emotion          // happiness
///     face[.neutral]            // 0.1
///
/// A value can only be made from finite, non-negative numbers; it is renormalised on the way in,
/// because Vision forwards a model's confidences as they are.
public struct EmotionDistribution: Hashable, Sendable {
  /// Canonical order; the eight sum to one. A vector rather than an array: a frame makes dozens of
  /// these, and none of them should cost an allocation.
  private let values: SIMD8<Double>

  /// Creates a distribution from non-negative weights in canonical order.
  ///
  /// - Parameter weights: eight finite numbers, at least one above zero.
  /// - Throws: ``EmotionKitError/invalidProbabilities(reason:)``.
  public init(weights: [Double]) throws(EmotionKitError) {
    guard weights.count == Emotion.allCases.count else {
      throw .invalidProbabilities(
        reason: "expected \(Emotion.allCases.count) numbers, found \(weights.count)")
    }
    for (emotion, weight) in zip(Emotion.allCases, weights) where !(weight.isFinite && weight >= 0)
    {
      throw .invalidProbabilities(reason: "\(emotion) is \(weight)")
    }
    let total = weights.reduce(0, +)
    guard total > 0, total.isFinite else {
      throw .invalidProbabilities(reason: "the eight numbers sum to \(total)")
    }
    values = SIMD8(weights) / total
  }

  /// Creates a distribution from probabilities keyed by label name, in any order.
  ///
  /// - Parameter labelled: exactly the eight canonical names.
  /// - Throws: ``EmotionKitError/invalidProbabilities(reason:)`` when a name is missing or unknown,
  ///   or a value is negative or not finite.
  public init(labelled: [String: Double]) throws(EmotionKitError) {
    let unknown = labelled.keys.filter { Emotion(rawValue: $0) == nil }.sorted()
    guard unknown.isEmpty else {
      throw .invalidProbabilities(reason: "unknown labels \(unknown)")
    }
    let missing = Emotion.allCases.filter { labelled[$0.rawValue] == nil }
    guard missing.isEmpty else {
      throw .invalidProbabilities(reason: "no value for \(missing)")
    }
    try self.init(weights: Emotion.allCases.map { labelled[$0.rawValue] ?? 0 })
  }

  /// The softmax of logits given in the order of `labels`.
  ///
  /// The largest logit is subtracted first, so no finite input overflows.
  ///
  /// - Throws: ``EmotionKitError/invalidProbabilities(reason:)`` for another number of logits than
  ///   labels, labels that are not the eight emotions, or a logit that is not finite.
  public init(
    logits: [Double], labels: [Emotion] = Emotion.allCases
  ) throws(EmotionKitError) {
    guard logits.count == labels.count, Set(labels) == Set(Emotion.allCases),
      labels.count == Emotion.allCases.count
    else {
      throw .invalidProbabilities(
        reason: "\(logits.count) logits for the \(labels.count) labels \(labels)")
    }
    guard let largest = logits.max(), logits.allSatisfy(\.isFinite) else {
      throw .invalidProbabilities(reason: "a logit is not finite: \(logits)")
    }
    var weights = [Double](repeating: 0, count: labels.count)
    for (emotion, logit) in zip(labels, logits) {
      weights[emotion.canonicalIndex] = exp(logit - largest)
    }
    try self.init(weights: weights)
  }

  /// Only for values already known to sum to one.
  private init(normalised values: SIMD8<Double>) {
    self.values = values
  }

  /// One eighth each.
  public static let uniform = EmotionDistribution(
    normalised: SIMD8(repeating: 1 / Double(Emotion.allCases.count)))
}

extension EmotionDistribution {
  /// The probability of one emotion, `0...1`.
  ///
  /// - Complexity: O(1).
  public subscript(emotion: Emotion) -> Double {
    values[emotion.canonicalIndex]
  }

  /// The eight probabilities in canonical order.
  public var probabilities: [Double] { values.indices.map { values[$0] } }

  /// The most probable emotion; the earlier in canonical order when two are equal.
  ///
  /// - Complexity: O(*n*) in the eight emotions.
  public var top: (emotion: Emotion, probability: Double) {
    var best = Emotion.anger
    for emotion in Emotion.allCases where self[emotion] > self[best] {
      best = emotion
    }
    return (best, self[best])
  }

  /// All emotions, most probable first; equal ones in canonical order.
  ///
  /// - Complexity: O(*n* log *n*) in the eight emotions.
  public var ranked: [(emotion: Emotion, probability: Double)] {
    Emotion.allCases
      .sorted { (self[$0], $1.canonicalIndex) > (self[$1], $0.canonicalIndex) }
      .map { ($0, self[$0]) }
  }

  /// Shannon entropy in nats: 0 when one emotion is certain, `log(8)` when all are equal.
  public var entropy: Double {
    values.indices.reduce(0) { sum, index in
      values[index] > 0 ? sum - values[index] * log(values[index]) : sum
    }
  }

  /// The weighted mean of two distributions.
  ///
  /// - Parameter weight: the share of `other`; clamped to `0...1`.
  public func mixed(with other: EmotionDistribution, weight: Double) -> EmotionDistribution {
    let share = min(max(weight, 0), 1)
    return EmotionDistribution(normalised: values * (1 - share) + other.values * share)
  }
}

extension EmotionDistribution: Codable {
  /// Decodes an object keyed by the eight label names.
  ///
  /// - Throws: ``EmotionKitError/invalidProbabilities(reason:)``, or a `DecodingError`.
  public init(from decoder: any Decoder) throws {
    try self.init(labelled: decoder.singleValueContainer().decode([String: Double].self))
  }

  /// Encodes an object keyed by the eight label names.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(
      Dictionary(uniqueKeysWithValues: Emotion.allCases.map { ($0.rawValue, self[$0]) }))
  }
}
