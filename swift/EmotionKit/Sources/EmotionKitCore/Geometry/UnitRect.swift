/// A rectangle in units of the image, `0...1`, with Vision's lower-left origin.
///
/// Named so as not to collide with Vision's own `NormalizedRect` (iOS 18) in a file that imports
/// both modules.
public struct UnitRect: Hashable, Codable, Sendable {
  /// Left edge.
  public var x: Double
  /// Lower edge.
  public var y: Double
  /// Width; not the same length as an equal height unless the image is square.
  public var width: Double
  /// Height.
  public var height: Double

  /// Creates a rectangle from its lower-left corner and size.
  public init(x: Double, y: Double, width: Double, height: Double) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }

  /// The whole image.
  package static let full = UnitRect(x: 0, y: 0, width: 1, height: 1)
}

extension UnitRect {
  /// The area as a share of the image; zero for an inverted or empty rectangle.
  package var area: Double { max(width, 0) * max(height, 0) }

  /// True when all four numbers are finite and the area is above zero.
  package var isUsable: Bool {
    [x, y, width, height].allSatisfy(\.isFinite) && width > 0 && height > 0
  }

  /// The part inside the image; Vision fails a request whose region leaves it.
  package var clampedToImage: UnitRect {
    let left = min(max(x, 0), 1)
    let lower = min(max(y, 0), 1)
    return UnitRect(
      x: left, y: lower,
      width: max(min(x + width, 1) - left, 0), height: max(min(y + height, 1) - lower, 0))
  }

  /// The same rectangle seen with the origin at the other end of the vertical axis.
  package var flippedVertically: UnitRect {
    UnitRect(x: x, y: 1 - y - height, width: width, height: height)
  }

  /// The same rectangle in the mirrored image.
  package var flippedHorizontally: UnitRect {
    UnitRect(x: 1 - x - width, y: y, width: width, height: height)
  }

  /// The same rectangle in the image turned clockwise by a quarter.
  package var turnedClockwise: UnitRect {
    UnitRect(x: y, y: 1 - x - width, width: height, height: width)
  }

  /// Intersection over union, `0...1`; zero when either rectangle has no area.
  ///
  /// - Complexity: O(1).
  package func intersectionOverUnion(_ other: UnitRect) -> Double {
    let overlapWidth = min(x + width, other.x + other.width) - max(x, other.x)
    let overlapHeight = min(y + height, other.y + other.height) - max(y, other.y)
    guard overlapWidth > 0, overlapHeight > 0, area > 0, other.area > 0 else { return 0 }
    let overlap = overlapWidth * overlapHeight
    return overlap / (area + other.area - overlap)
  }
}
