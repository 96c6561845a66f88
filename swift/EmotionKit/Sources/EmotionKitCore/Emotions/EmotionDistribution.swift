import Foundation

/// Probabilities of the labels of a model, that sum to one.
///
///     let face = try EmotionDistribution(
///       labelled: ["happiness": 0.9, "neutral": 0.1], labels: [.happiness, .neutral])
///     face.top.emotion          // happiness
///     face[.neutral]            // 0.1
///
/// A value can only be made from finite, non-negative numbers; it is renormalised on the way in,
/// because Vision forwards a model's confidences as they are.
public struct EmotionDistribution: Hashable, Sendable {
  /// The labels it is about, in display order: see ``Emotion/displayOrder(_:)``.
  public let labels: [Emotion]
  private let values: Values

  /// Creates a distribution from non-negative weights.
  ///
  /// - Parameters:
  ///   - weights: finite numbers in the order of `labels`, at least one above zero.
  ///   - labels: 2 to 64 different labels in any order.
  /// - Throws: ``EmotionKitError/invalidProbabilities(reason:)``.
  public init(
    weights: [Double], labels: [Emotion] = Emotion.known
  ) throws(EmotionKitError) {
    guard weights.count == labels.count else {
      throw .invalidProbabilities(
        reason: "expected \(labels.count) numbers, found \(weights.count)")
    }
    try Self.check(labels)
    for (label, weight) in zip(labels, weights) where !(weight.isFinite && weight >= 0) {
      throw .invalidProbabilities(reason: "\(label) is \(weight)")
    }
    let total = weights.reduce(0, +)
    guard total > 0, total.isFinite else {
      throw .invalidProbabilities(reason: "the \(weights.count) numbers sum to \(total)")
    }
    let shown = Emotion.displayOrder(labels)
    self.labels = shown
    if shown == labels {
      values = Values(weights.count) { weights[$0] / total }
    } else {
      values = Values(weights.count) { position in
        weights[labels.firstIndex(of: shown[position]) ?? position] / total
      }
    }
  }

  /// Creates a distribution from probabilities keyed by label name, in any order.
  ///
  /// - Parameters:
  ///   - labelled: one value for each of `labels`, and nothing else.
  ///   - labels: of the model, in any order.
  /// - Throws: ``EmotionKitError/invalidProbabilities(reason:)`` when a name is missing or unknown,
  ///   or a value is negative or not finite.
  public init(
    labelled: [String: Double], labels: [Emotion] = Emotion.known
  ) throws(EmotionKitError) {
    let missing = labels.filter { labelled[$0.rawValue] == nil }
    guard labelled.count == labels.count, missing.isEmpty else {
      let unknown = labelled.keys.filter { !labels.contains(Emotion(rawValue: $0)) }.sorted()
      throw .invalidProbabilities(
        reason: unknown.isEmpty ? "no value for \(missing)" : "unknown labels \(unknown)")
    }
    try self.init(weights: labels.map { labelled[$0.rawValue] ?? 0 }, labels: labels)
  }

  /// The softmax of logits given in the order of `labels`.
  ///
  /// The largest logit is subtracted first, so no finite input overflows.
  ///
  /// - Throws: ``EmotionKitError/invalidProbabilities(reason:)`` for another number of logits than
  ///   labels, labels that repeat, or a logit that is not finite.
  package init(
    logits: [Double], labels: [Emotion] = Emotion.known
  ) throws(EmotionKitError) {
    guard logits.count == labels.count else {
      throw .invalidProbabilities(
        reason: "\(logits.count) logits for the \(labels.count) labels \(labels)")
    }
    guard let largest = logits.max(), logits.allSatisfy(\.isFinite) else {
      throw .invalidProbabilities(reason: "a logit is not finite: \(logits)")
    }
    try self.init(weights: logits.map { exp($0 - largest) }, labels: labels)
  }

  /// Only for values already known to sum to one, in display order.
  private init(labels: [Emotion], normalised values: Values) {
    self.labels = labels
    self.values = values
  }

  /// One eighth for each of the known emotions.
  public static let uniform = EmotionDistribution(
    labels: Emotion.known,
    normalised: Values(Emotion.known.count) { _ in 1 / Double(Emotion.known.count) })

  private static func check(_ labels: [Emotion]) throws(EmotionKitError) {
    guard LabelRules.counts.contains(labels.count) else {
      throw .invalidProbabilities(
        reason: "\(labels.count) labels; \(LabelRules.counts.lowerBound) to "
          + "\(LabelRules.counts.upperBound) can be")
    }
    // Pairs instead of a set, which would allocate for each frame.
    for (position, label) in labels.enumerated()
    where labels[..<position].contains(label) {
      throw .invalidProbabilities(reason: "the label \(label) twice in \(labels)")
    }
  }
}

extension EmotionDistribution {
  /// The probability of one emotion, `0...1`; 0 for one that is not among ``labels``.
  ///
  /// - Complexity: O(*n*) in the labels.
  public subscript(emotion: Emotion) -> Double {
    labels.firstIndex(of: emotion).map { values[$0] } ?? 0
  }

  /// The probabilities in the order of ``labels``.
  public var probabilities: [Double] { labels.indices.map { values[$0] } }

  /// The most probable emotion; the earlier in ``labels`` when two are equal.
  ///
  /// - Complexity: O(*n*) in the labels.
  public var top: (emotion: Emotion, probability: Double) {
    var best = 0
    for index in labels.indices where values[index] > values[best] { best = index }
    return (labels[best], values[best])
  }

  /// All emotions, most probable first; equal ones in the order of ``labels``.
  ///
  /// - Complexity: O(*n* log *n*) in the labels.
  public var ranked: [(emotion: Emotion, probability: Double)] {
    labels.indices
      .sorted { (values[$0], $1) > (values[$1], $0) }
      .map { (labels[$0], values[$0]) }
  }

  /// Shannon entropy in nats: 0 when one emotion is certain, the logarithm of the number of labels
  /// when all are equal.
  public var entropy: Double {
    labels.indices.reduce(0) { sum, index in
      values[index] > 0 ? sum - values[index] * log(values[index]) : sum
    }
  }

  /// The weighted mean of two distributions.
  ///
  /// Of two models with different labels there is no mean: then it is the one with more weight.
  ///
  /// - Parameter weight: the share of `other`; clamped to `0...1`.
  package func mixed(with other: EmotionDistribution, weight: Double) -> EmotionDistribution {
    let share = min(max(weight, 0), 1)
    guard labels == other.labels else { return share < 0.5 ? self : other }
    return EmotionDistribution(labels: labels, normalised: values.mixed(other.values, share))
  }
}

extension EmotionDistribution: Codable {
  /// Decodes an object keyed by label names.
  ///
  /// An object has no order: labels beyond the known emotions come back sorted by name.
  ///
  /// - Throws: ``EmotionKitError/invalidProbabilities(reason:)``, or a `DecodingError`.
  public init(from decoder: any Decoder) throws {
    let labelled = try decoder.singleValueContainer().decode([String: Double].self)
    try self.init(
      labelled: labelled, labels: labelled.keys.sorted().map(Emotion.init(rawValue:)))
  }

  /// Encodes an object keyed by label names.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(
      Dictionary(uniqueKeysWithValues: labels.map { ($0.rawValue, self[$0]) }))
  }
}

/// Up to 64 numbers, the first 16 in vectors rather than an array: a frame makes dozens of
/// distributions, and none of up to 16 labels should cost an allocation.
private struct Values: Hashable, Sendable {
  private static let lanes = 8
  private var first = SIMD8<Double>()
  private var second = SIMD8<Double>()
  private var rest: [Double] = []

  init(_ count: Int, value: (Int) -> Double) {
    for index in 0..<min(count, Self.lanes) { first[index] = value(index) }
    for index in Self.lanes..<max(min(count, 2 * Self.lanes), Self.lanes) {
      second[index - Self.lanes] = value(index)
    }
    if count > 2 * Self.lanes { rest = (2 * Self.lanes..<count).map(value) }
  }

  subscript(index: Int) -> Double {
    if index < Self.lanes { return first[index] }
    if index < 2 * Self.lanes { return second[index - Self.lanes] }
    return rest[index - 2 * Self.lanes]
  }

  func mixed(_ other: Values, _ share: Double) -> Values {
    var mixed = self
    mixed.first = first * (1 - share) + other.first * share
    mixed.second = second * (1 - share) + other.second * share
    if !rest.isEmpty {
      mixed.rest = zip(rest, other.rest).map { $0 * (1 - share) + $1 * share }
    }
    return mixed
  }
}
