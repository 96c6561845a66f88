@_exported import CoreVideo

/// A recipe for pixels; immutable, so it may cross tasks, as in Apple's interface.
public final class CIImage: @unchecked Sendable {
  public let extent: CGRect

  public init(cvPixelBuffer buffer: CVPixelBuffer) {
    extent = CGRect(
      x: 0, y: 0, width: CVPixelBufferGetWidth(buffer), height: CVPixelBufferGetHeight(buffer))
  }

  private init(_ extent: CGRect) { self.extent = extent }

  public func cropped(to rectangle: CGRect) -> CIImage { CIImage(extent.intersection(rectangle)) }

  /// Moves; the stub knows nothing else.
  public func transformed(by matrix: CGAffineTransform) -> CIImage {
    CIImage(extent.offsetBy(dx: matrix.tx, dy: matrix.ty))
  }

  /// Stub only: without an end, as a generated colour is.
  public static let stubEndless = CIImage(.infinite)
}
