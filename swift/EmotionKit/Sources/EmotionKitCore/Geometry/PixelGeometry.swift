/// The size of an image in whole pixels.
public struct PixelSize: Hashable, Codable, Sendable {
  /// Pixels from left to right.
  public var width: Int
  /// Pixels from top to bottom.
  public var height: Int

  /// Creates a size.
  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  /// The shorter side.
  package var shorterSide: Int { min(width, height) }
}

/// A rectangle in pixels with a top-left origin: the space of Python, UIKit and CGImage.
package struct PixelRect: Hashable, Codable, Sendable {
  /// Left edge.
  package var x: Double
  /// Upper edge.
  package var y: Double
  /// Width in pixels.
  package var width: Double
  /// Height in pixels.
  package var height: Double

  /// Creates a rectangle from its upper-left corner and size.
  package init(x: Double, y: Double, width: Double, height: Double) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }
}

extension PixelRect {
  /// The same rectangle in pixels of an image of `size`.
  package init(_ rect: UnitRect, in size: PixelSize) {
    let flipped = rect.flippedVertically
    self.init(
      x: flipped.x * Double(size.width), y: flipped.y * Double(size.height),
      width: rect.width * Double(size.width), height: rect.height * Double(size.height))
  }
}

extension UnitRect {
  /// The same rectangle in units of an image of `size`, which must not be empty.
  package init(_ rect: PixelRect, in size: PixelSize) {
    let upper = UnitRect(
      x: rect.x / Double(size.width), y: rect.y / Double(size.height),
      width: rect.width / Double(size.width), height: rect.height / Double(size.height))
    self = upper.flippedVertically
  }
}
