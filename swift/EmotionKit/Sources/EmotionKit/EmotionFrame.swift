#if canImport(Vision)
  import CoreImage
  import CoreVideo
  import Foundation
  import ImageIO
  import Vision

  /// A picture ready to be analysed, with its orientation.
  ///
  /// Make it where the pixels are, then hand it to any task. The pixels are not copied: do not
  /// write to a pixel buffer while a frame of it is in use.
  public struct EmotionFrame: AnalyzableFrame, @unchecked Sendable {
    /// Size of the upright image.
    public let orientedSize: PixelSize

    /// Where the pixels are.
    enum Pixels {
      case buffer(CVPixelBuffer)
      case image(CGImage)
      case recipe(CIImage)
    }

    /// Read, never written.
    let pixels: Pixels

    /// How the pixels are stored.
    let orientation: CGImagePropertyOrientation

    /// Reads the pixels only, and only on the queue of one ``VisionQueue``. One handler for
    /// detection and classification: both then speak of the same upright image.
    let handler: VNImageRequestHandler

    /// A frame of a camera, of ARKit or of a video.
    public init(pixelBuffer: CVPixelBuffer, orientation: CGImagePropertyOrientation = .up) {
      let stored = PixelSize(
        width: CVPixelBufferGetWidth(pixelBuffer), height: CVPixelBufferGetHeight(pixelBuffer))
      orientedSize = ImageOrientation(orientation).orientedSize(of: stored)
      pixels = .buffer(pixelBuffer)
      self.orientation = orientation
      handler = VNImageRequestHandler(cvPixelBuffer: pixelBuffer, orientation: orientation)
    }

    /// A decoded image.
    public init(cgImage: CGImage, orientation: CGImagePropertyOrientation = .up) {
      orientedSize = ImageOrientation(orientation).orientedSize(
        of: PixelSize(width: cgImage.width, height: cgImage.height))
      pixels = .image(cgImage)
      self.orientation = orientation
      handler = VNImageRequestHandler(cgImage: cgImage, orientation: orientation)
    }

    /// An image of Core Image, which is computed when the frame is analysed, once for each request.
    ///
    /// - Throws: ``EmotionKitError/unreadableImage(reason:)`` for one that is empty or has no end, as
    ///   a generated colour has: crop it first.
    public init(
      ciImage: CIImage, orientation: CGImagePropertyOrientation = .up
    ) throws(EmotionKitError) {
      let extent = ciImage.extent
      guard !extent.isInfinite, extent.width >= 1, extent.height >= 1 else {
        throw .unreadableImage(reason: "a CIImage whose extent is \(extent) has no pixels to read")
      }
      // Cropping moves an extent; regions of interest count from its corner.
      let image =
        extent.origin == .zero
        ? ciImage
        : ciImage.transformed(by: CGAffineTransform(translationX: -extent.minX, y: -extent.minY))
      orientedSize = ImageOrientation(orientation).orientedSize(
        of: PixelSize(width: Int(extent.width), height: Int(extent.height)))
      pixels = .recipe(image)
      self.orientation = orientation
      handler = VNImageRequestHandler(ciImage: image, orientation: orientation)
    }

    /// The bytes of a JPEG, PNG, HEIC or other image file. Its EXIF orientation is applied.
    ///
    /// - Throws: ``EmotionKitError/unreadableImage(reason:)``.
    public init(imageData: Data) throws(EmotionKitError) {
      guard let source = CGImageSourceCreateWithData(imageData as CFData, nil),
        let image = CGImageSourceCreateImageAtIndex(source, 0, nil)
      else {
        throw .unreadableImage(reason: "\(imageData.count) bytes are not in a known image format")
      }
      let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any]
      let exif = (properties?[kCGImagePropertyOrientation] as? NSNumber)?.uint32Value
      self.init(
        cgImage: image,
        orientation: exif.flatMap(CGImagePropertyOrientation.init(rawValue:)) ?? .up)
    }

    /// An image file. Its EXIF orientation is applied.
    ///
    /// - Throws: ``EmotionKitError/unreadableImage(reason:)``.
    public init(contentsOf url: URL) throws(EmotionKitError) {
      let data: Data
      do {
        data = try Data(contentsOf: url)
      } catch {
        throw .unreadableImage(reason: error.localizedDescription)
      }
      try self.init(imageData: data)
    }

    /// A black square to run the network on before it matters.
    init(blackSquare side: Int) throws(EmotionKitError) {
      try self.init(rgb: [UInt8](repeating: 0, count: 3 * side * side), side: side)
    }

    /// A square of the given pixels, row by row, exactly.
    init(rgb pixels: [UInt8], side: Int) throws(EmotionKitError) {
      var buffer: CVPixelBuffer?
      let status = CVPixelBufferCreate(
        kCFAllocatorDefault, side, side, kCVPixelFormatType_32BGRA, nil, &buffer)
      guard status == kCVReturnSuccess, let buffer else {
        throw .inferenceFailed(reason: "no memory for a pixel buffer (\(status))")
      }
      CVPixelBufferLockBaseAddress(buffer, [])
      if let start = CVPixelBufferGetBaseAddress(buffer) {
        let stride = CVPixelBufferGetBytesPerRow(buffer)
        let bytes = UnsafeMutableRawBufferPointer(start: start, count: stride * side)
        for y in 0..<side {
          for x in 0..<side {
            let (from, to) = (3 * (y * side + x), y * stride + 4 * x)
            bytes[to] = pixels[from + 2]
            bytes[to + 1] = pixels[from + 1]
            bytes[to + 2] = pixels[from]
            bytes[to + 3] = 255
          }
        }
      }
      CVPixelBufferUnlockBaseAddress(buffer, [])
      self.init(pixelBuffer: buffer)
    }
  }

  extension CGImagePropertyOrientation {
    /// The same EXIF number.
    init(_ orientation: ImageOrientation) {
      self = CGImagePropertyOrientation(rawValue: orientation.rawValue) ?? .up
    }
  }

  extension ImageOrientation {
    /// The same EXIF number.
    init(_ orientation: CGImagePropertyOrientation) {
      self = ImageOrientation(rawValue: orientation.rawValue) ?? .up
    }
  }
#endif
