/// Chooses the square of pixels that the network sees for a face.
///
/// The rule is the one the network was trained with, shared with Python through golden vectors:
/// the side is `(1 + margin)` times the longer side of the face box, about the same centre; a side
/// longer than the image's shorter side is shrunk to it; then the square is shifted until it lies
/// inside the image. The square is one in *pixels*: its normalised width and height differ unless
/// the image is square.
package struct RegionPlanner: Hashable, Sendable {
  /// How much longer than the face box the square is; 0.3 means 1.3 times.
  package var margin: Double

  /// Creates a planner with the `crop_margin` of a ``ModelContract``.
  package init(margin: Double) {
    self.margin = margin
  }

  /// Plans in pixels with a top-left origin.
  ///
  /// - Returns: a square inside the image.
  /// - Throws: ``EmotionKitError/invalidRegion(reason:)`` when the box or the image has no area or
  ///   a number is not finite.
  /// - Complexity: O(1).
  package func region(
    around face: PixelRect, in image: PixelSize
  ) throws(EmotionKitError) -> PixelRect {
    guard image.width > 0, image.height > 0 else {
      throw .invalidRegion(reason: "the image is \(image.width) x \(image.height) pixels")
    }
    guard [face.x, face.y, face.width, face.height].allSatisfy(\.isFinite), face.width > 0,
      face.height > 0
    else {
      throw .invalidRegion(reason: "the face box is \(face)")
    }
    guard margin.isFinite, margin >= 0 else {
      throw .invalidRegion(reason: "the crop margin is \(margin)")
    }
    let side = min(max(face.width, face.height) * (1 + margin), Double(image.shorterSide))
    let left = face.x + face.width / 2 - side / 2
    let upper = face.y + face.height / 2 - side / 2
    return PixelRect(
      x: min(max(left, 0), Double(image.width) - side),
      y: min(max(upper, 0), Double(image.height) - side),
      width: side, height: side)
  }

  /// Plans in Vision's space, ready for `regionOfInterest`.
  ///
  /// - Returns: a rectangle that is square in pixels and inside the unit square.
  /// - Throws: ``EmotionKitError/invalidRegion(reason:)``.
  /// - Complexity: O(1).
  package func region(
    around face: UnitRect, in image: PixelSize
  ) throws(EmotionKitError) -> UnitRect {
    let pixels = try region(around: PixelRect(face, in: image), in: image)
    return UnitRect(pixels, in: image).clampedToImage
  }
}
