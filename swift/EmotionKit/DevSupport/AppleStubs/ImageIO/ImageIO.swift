@_exported import CoreVideo

public enum CGImagePropertyOrientation: UInt32, Sendable {
  case up = 1
  case upMirrored, down, downMirrored, leftMirrored, right, rightMirrored, left
}

public class CGImage {
  public let width: Int
  public let height: Int

  /// Stub only.
  public init(stubWidth: Int, height: Int) {
    width = stubWidth
    self.height = height
  }
}

@available(*, unavailable)
extension CGImage: Sendable {}

public class CGImageSource {
  let fields: [Substring]
  init(fields: [Substring]) { self.fields = fields }
}

public let kCGImagePropertyOrientation: CFString = "Orientation"

/// The stub's only format is the text `stub-image WIDTH HEIGHT EXIF`.
public func CGImageSourceCreateWithData(_ data: CFData, _ options: CFDictionary?) -> CGImageSource?
{
  CGImageSource(fields: String(decoding: data, as: UTF8.self).split(separator: " "))
}

public func CGImageSourceCreateImageAtIndex(
  _ source: CGImageSource, _ index: Int, _ options: CFDictionary?
) -> CGImage? {
  guard source.fields.count == 4, source.fields[0] == "stub-image",
    let width = Int(source.fields[1]), let height = Int(source.fields[2])
  else { return nil }
  return CGImage(stubWidth: width, height: height)
}

public func CGImageSourceCopyPropertiesAtIndex(
  _ source: CGImageSource, _ index: Int, _ options: CFDictionary?
) -> CFDictionary? {
  guard source.fields.count == 4, let exif = UInt32(source.fields[3]) else { return nil }
  return [kCGImagePropertyOrientation: NSNumber(value: exif)] as NSDictionary
}
