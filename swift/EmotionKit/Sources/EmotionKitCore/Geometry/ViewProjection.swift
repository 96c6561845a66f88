import Foundation

/// Where a face box lands in a view that shows the image.
///
/// The result has a top-left origin in the view's points, ready for SwiftUI or UIKit.
public struct ViewProjection: Hashable, Sendable {
  /// How the image is scaled into the view.
  public enum ContentMode: String, Hashable, Sendable {
    /// The whole image is visible; bars may remain (`resizeAspect`).
    case fit
    /// The view is filled; the image is cut (`resizeAspectFill`).
    case fill
  }

  /// The oriented image's size; only its proportions matter.
  public var image: PixelSize
  /// The view's width in points.
  public var viewWidth: Double
  /// The view's height in points.
  public var viewHeight: Double
  /// Fit or fill.
  public var mode: ContentMode
  /// Quarter turns clockwise by which the view shows the analysed image turned: not zero when the
  /// app's window keeps its orientation while the device is turned.
  public var quarterTurns: Int
  /// True when the view shows the mirror image of what was analysed, after turning.
  public var mirrored: Bool

  /// Creates a projection.
  public init(
    image: PixelSize, viewWidth: Double, viewHeight: Double, mode: ContentMode,
    quarterTurns: Int = 0, mirrored: Bool = false
  ) {
    self.image = image
    self.viewWidth = viewWidth
    self.viewHeight = viewHeight
    self.mode = mode
    self.quarterTurns = quarterTurns
    self.mirrored = mirrored
  }

  /// Projects a box; it may leave the view when the image is cut.
  ///
  /// - Returns: nil when the image or the view has no area.
  /// - Complexity: O(1).
  public func project(_ box: UnitRect) -> CGRect? {
    guard image.width > 0, image.height > 0, viewWidth > 0, viewHeight > 0 else { return nil }
    let turns = ((quarterTurns % 4) + 4) % 4
    let shown = ImageOrientation(quarterTurns: turns).orientedSize(of: image)
    let horizontal = viewWidth / Double(shown.width)
    let vertical = viewHeight / Double(shown.height)
    let scale = mode == .fit ? min(horizontal, vertical) : max(horizontal, vertical)
    let shownWidth = Double(shown.width) * scale
    let shownHeight = Double(shown.height) * scale
    let turned = (0..<turns).reduce(box) { box, _ in box.turnedClockwise }
    let seen = (mirrored ? turned.flippedHorizontally : turned).flippedVertically
    return CGRect(
      x: (viewWidth - shownWidth) / 2 + seen.x * shownWidth,
      y: (viewHeight - shownHeight) / 2 + seen.y * shownHeight,
      width: seen.width * shownWidth, height: seen.height * shownHeight)
  }
}
