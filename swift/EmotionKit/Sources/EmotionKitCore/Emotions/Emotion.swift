/// One of the expressions a model tells apart, by the name of its label.
///
/// The eight that most models know are static members, so `.happiness` reads as it always did. A
/// model may have others ("pain", "engaged") or fewer: what a model can answer is in its
/// ``ModelContract/labels``, and values are always looked up by name.
///
///     switch reading.dominant {
///     case .happiness: …
///     case Emotion(rawValue: "engaged"): …
///     default: …
///     }
public struct Emotion: RawRepresentable, Hashable, Sendable {
  /// The label name that travels in checkpoints, Core ML metadata and manifests.
  public let rawValue: String

  /// Names an expression; whether a model knows it, its contract tells.
  public init(rawValue: String) {
    self.rawValue = rawValue
  }

  /// Lowered brows, hard stare, pressed lips.
  public static let anger = Emotion(rawValue: "anger")
  /// Wrinkled nose, raised upper lip.
  public static let disgust = Emotion(rawValue: "disgust")
  /// Raised and drawn-together brows, wide eyes.
  public static let fear = Emotion(rawValue: "fear")
  /// Raised lip corners and cheeks.
  public static let happiness = Emotion(rawValue: "happiness")
  /// Raised inner brows, lowered lip corners.
  public static let sadness = Emotion(rawValue: "sadness")
  /// Raised brows, dropped jaw.
  public static let surprise = Emotion(rawValue: "surprise")
  /// No expression.
  public static let neutral = Emotion(rawValue: "neutral")
  /// One lip corner tightened and raised.
  public static let contempt = Emotion(rawValue: "contempt")

  /// The eight in their canonical order.
  public static let known: [Emotion] = [
    .anger, .disgust, .fear, .happiness, .sadness, .surprise, .neutral, .contempt,
  ]
}

extension Emotion {
  /// Labels in the order in which they are shown: the known emotions in canonical order, then the
  /// others in the order given.
  ///
  /// So bars of two models stand in the same places, whatever the order of their outputs.
  ///
  /// - Complexity: O(*n*) in the number of labels; no allocation where they stand so already.
  package static func displayOrder(_ labels: [Emotion]) -> [Emotion] {
    var last = -1
    let ordered = labels.allSatisfy { label in
      let place = known.firstIndex(of: label) ?? known.count
      defer { last = place }
      return place >= last
    }
    guard !ordered else { return labels }
    return known.filter(labels.contains) + labels.filter { !known.contains($0) }
  }
}

extension Emotion: Codable {
  /// Decodes a label name.
  public init(from decoder: any Decoder) throws {
    rawValue = try decoder.singleValueContainer().decode(String.self)
  }

  /// Encodes the label name.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }
}

extension Emotion: CustomStringConvertible {
  /// The label name.
  public var description: String { rawValue }
}
