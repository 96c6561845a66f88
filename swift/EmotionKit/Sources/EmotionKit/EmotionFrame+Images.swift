#if canImport(Vision)
  import CoreImage
  import CoreMedia
  import ImageIO

  #if canImport(UIKit)
    import UIKit
  #elseif canImport(AppKit)
    import AppKit
  #endif

  extension EmotionFrame {
    /// A frame of a capture session or of a video, as its callback gets it.
    ///
    /// - Throws: ``EmotionKitError/unreadableImage(reason:)`` for a buffer that holds sound or
    ///   compressed data.
    public init(
      sampleBuffer: CMSampleBuffer, orientation: CGImagePropertyOrientation = .up
    ) throws(EmotionKitError) {
      guard let pixels = CMSampleBufferGetImageBuffer(sampleBuffer) else {
        throw .unreadableImage(reason: "a sample buffer without pixels")
      }
      self.init(pixelBuffer: pixels, orientation: orientation)
    }

    #if canImport(UIKit)
      /// An image of UIKit, turned as its `imageOrientation` says.
      ///
      /// - Throws: ``EmotionKitError/unreadableImage(reason:)`` for one without pixels, as
      ///   `UIImage()` is.
      public init(uiImage: UIImage) throws(EmotionKitError) {
        let orientation = CGImagePropertyOrientation(uiImage.imageOrientation)
        if let image = uiImage.cgImage {
          self.init(cgImage: image, orientation: orientation)
        } else if let image = uiImage.ciImage {
          try self.init(ciImage: image, orientation: orientation)
        } else {
          throw .unreadableImage(reason: "a UIImage without pixels")
        }
      }
    #elseif canImport(AppKit)
      /// An image of AppKit, upright, in as many pixels as its finest representation has.
      ///
      /// - Throws: ``EmotionKitError/unreadableImage(reason:)`` for one without a representation.
      public init(nsImage: NSImage) throws(EmotionKitError) {
        // Its size counts points, and would shrink a photo of 144 dots to the inch by half.
        let finest = nsImage.representations.max { $0.pixelsWide < $1.pixelsWide }
        var pixels = CGRect(origin: .zero, size: nsImage.size)
        if let finest, finest.pixelsWide > 0, finest.pixelsHigh > 0 {
          pixels.size = CGSize(width: finest.pixelsWide, height: finest.pixelsHigh)
        }
        guard let image = nsImage.cgImage(forProposedRect: &pixels, context: nil, hints: nil) else {
          throw .unreadableImage(reason: "an NSImage without pixels")
        }
        self.init(cgImage: image)
      }
    #endif
  }

  #if canImport(UIKit)
    extension CGImagePropertyOrientation {
      /// The orientation of the same name: UIKit counts them in another order.
      init(_ orientation: UIImage.Orientation) {
        self =
          switch orientation {
          case .up: .up
          case .upMirrored: .upMirrored
          case .down: .down
          case .downMirrored: .downMirrored
          case .left: .left
          case .leftMirrored: .leftMirrored
          case .right: .right
          case .rightMirrored: .rightMirrored
          @unknown default: .up
          }
      }
    }
  #endif
#endif
