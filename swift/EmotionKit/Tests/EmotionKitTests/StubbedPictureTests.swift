#if EMOTIONKIT_APPLE_STUBS
  import CoreImage
  import CoreMedia
  import Foundation
  import Testing
  import UIKit
  import Vision

  @testable import EmotionKit

  /// Pictures as apps have them.
  extension StubbedAppleLayerTests {
    @Test func everyKindOfPictureKeepsItsSizeAndOrientation() async throws {
      var buffer: CVPixelBuffer?
      _ = CVPixelBufferCreate(nil, 640, 480, 0, nil, &buffer)
      let pixels = try #require(buffer)
      let decoded = CGImage(stubWidth: 640, height: 480)
      let recipe = CIImage(cvPixelBuffer: pixels)
      let sample = CMSampleBuffer(stubImage: pixels, seconds: 0)
      let frames = [
        try EmotionFrame(sampleBuffer: sample, orientation: .right),
        try EmotionFrame(ciImage: recipe, orientation: .right),
        try EmotionFrame(uiImage: UIImage(cgImage: decoded, scale: 2, orientation: .right)),
        try EmotionFrame(uiImage: UIImage(ciImage: recipe, scale: 1, orientation: .right)),
      ]
      for usesSwiftVision in [false, true] {
        let analyzer = try await world.analyzer(
          EmotionConfiguration(usesSwiftVision: usesSwiftVision))
        for frame in frames {
          world.vision { $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)] }
          let reading = try #require(try await analyzer.analyze(frame).first)
          #expect(reading.imageSize == PixelSize(width: 480, height: 640))
          #expect(StubVision.detections == [.right])
        }
      }
    }

    @Test(arguments: [
      (UIImage.Orientation.up, CGImagePropertyOrientation.up), (.down, .down), (.left, .left),
      (.right, .right), (.upMirrored, .upMirrored), (.downMirrored, .downMirrored),
      (.leftMirrored, .leftMirrored), (.rightMirrored, .rightMirrored),
    ])
    func orientationsOfUIKitAreTakenByName(
      theirs: UIImage.Orientation, ours: CGImagePropertyOrientation
    ) throws {
      let image = UIImage(
        cgImage: CGImage(stubWidth: 640, height: 480), scale: 1, orientation: theirs)
      #expect(try EmotionFrame(uiImage: image).orientation == ours)
    }

    @Test func aCroppedImageCountsFromItsOwnCorner() throws {
      var buffer: CVPixelBuffer?
      _ = CVPixelBufferCreate(nil, 640, 480, 0, nil, &buffer)
      let face = CIImage(cvPixelBuffer: try #require(buffer))
        .cropped(to: CGRect(x: 100, y: 50, width: 200, height: 300))
      let frame = try EmotionFrame(ciImage: face)
      #expect(frame.orientedSize == PixelSize(width: 200, height: 300))
      guard case .recipe(let image) = frame.pixels else { return #expect(Bool(false)) }
      #expect(image.extent == CGRect(x: 0, y: 0, width: 200, height: 300))
    }

    @Test func picturesWithoutPixelsAreRefused() {
      #expect(throws: EmotionKitError.self) { try EmotionFrame(uiImage: UIImage()) }
      #expect(throws: EmotionKitError.self) { try EmotionFrame(ciImage: .stubEndless) }
      let sound = CMSampleBuffer(stubImage: nil, seconds: 0)
      #expect(throws: EmotionKitError.self) { try EmotionFrame(sampleBuffer: sound) }
    }
  }
#endif
