/// The identity of a face for as long as it stays in view. Never reused within a session.
public struct FaceID: Hashable, Codable, Sendable {
  /// Counts up from 1 in the order faces appear.
  public let rawValue: UInt64

  /// Creates an identity.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }
}

extension FaceID: Comparable {
  /// Earlier faces come first.
  public static func < (a: FaceID, b: FaceID) -> Bool { a.rawValue < b.rawValue }
}

extension FaceID: CustomStringConvertible {
  /// For instance `face 3`.
  public var description: String { "face \(rawValue)" }
}

/// A face as a detector reports it.
package struct DetectedFace: Hashable, Sendable {
  /// In the oriented image.
  package var box: UnitRect
  /// The detector's own confidence, `0...1`.
  package var confidence: Double
  /// How well the face was captured - light, focus, pose - `0...1`; nil when nobody measured it.
  /// Comparable between frames of one face, not between faces.
  package var captureQuality: Double?

  /// Creates a detection.
  package init(box: UnitRect, confidence: Double = 1, captureQuality: Double? = nil) {
    self.box = box
    self.confidence = confidence
    self.captureQuality = captureQuality
  }
}
