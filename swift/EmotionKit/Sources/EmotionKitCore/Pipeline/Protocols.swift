/// A picture that can be handed between tasks.
package protocol AnalyzableFrame: Sendable {
  /// Width and height of the upright image in pixels.
  var orientedSize: PixelSize { get }
}

/// Finds faces. Replace it to use another detector, or a fake.
package protocol FaceDetecting<Frame>: Sendable {
  /// The kind of picture it understands.
  associatedtype Frame: AnalyzableFrame

  /// The faces in a frame, in any order.
  func faces(in frame: Frame) async throws -> [DetectedFace]
}

/// Judges the expression of a face. Replace it to use another model, or a fake.
package protocol EmotionClassifying<Frame>: Sendable {
  /// The kind of picture it understands.
  associatedtype Frame: AnalyzableFrame

  /// The probabilities for a region that is square in pixels and inside the frame.
  func classify(_ region: UnitRect, in frame: Frame) async throws -> EmotionDistribution
}
