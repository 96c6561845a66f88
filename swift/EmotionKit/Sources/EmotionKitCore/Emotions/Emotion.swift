/// One of the eight expressions the model tells apart.
///
/// The raw value is the canonical label name that travels in checkpoints, Core ML metadata and
/// manifests. `allCases` is the canonical order; the order of a *model's* outputs is written in its
/// ``ModelContract`` and may differ, so values are always looked up by name.
public enum Emotion: String, CaseIterable, Codable, Hashable, Sendable {
  /// Lowered brows, hard stare, pressed lips.
  case anger
  /// Wrinkled nose, raised upper lip.
  case disgust
  /// Raised and drawn-together brows, wide eyes.
  case fear
  /// Raised lip corners and cheeks.
  case happiness
  /// Raised inner brows, lowered lip corners.
  case sadness
  /// Raised brows, dropped jaw.
  case surprise
  /// No expression.
  case neutral
  /// One lip corner tightened and raised.
  case contempt
}

extension Emotion {
  /// The position in the canonical order, `0...7`.
  ///
  /// - Complexity: O(1).
  public var canonicalIndex: Int {
    switch self {
    case .anger: 0
    case .disgust: 1
    case .fear: 2
    case .happiness: 3
    case .sadness: 4
    case .surprise: 5
    case .neutral: 6
    case .contempt: 7
    }
  }
}

extension Emotion: CustomStringConvertible {
  /// The canonical label name.
  public var description: String { rawValue }
}
