// The Swift-only interface of iOS 18. Its own file, because it is another interface to the same work.

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public struct NormalizedRect: Hashable, Sendable {
  public let cgRect: CGRect
  public init(x: CGFloat, y: CGFloat, width: CGFloat, height: CGFloat) {
    cgRect = CGRect(x: x, y: y, width: width, height: height)
  }
  public static func == (a: NormalizedRect, b: NormalizedRect) -> Bool { a.cgRect == b.cgRect }
  public func hash(into hasher: inout Hasher) { hasher.combine(cgRect.width) }
}

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public protocol VisionObservation: Sendable {}

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public enum VisionError: Error, Sendable {
  case requestCancelled
  case internalError(String)
}

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public protocol VisionRequest: Sendable {
  associatedtype Result
  /// Stub only.
  func stubPerform(
    _ orientation: CGImagePropertyOrientation, _ buffer: CVPixelBuffer?
  ) throws -> Result
}

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public struct FaceObservation: VisionObservation {
  public struct CaptureQuality: Sendable {
    public let score: Float
  }
  public let boundingBox: NormalizedRect
  public let confidence: Float
  public internal(set) var captureQuality: CaptureQuality?
}

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public struct ClassificationObservation: VisionObservation {
  public let identifier: String
  public let confidence: Float
}

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public struct DetectFaceRectanglesRequest: VisionRequest {
  public enum Revision: Sendable { case revision3 }
  public init(_ revision: Revision? = nil) {}
  public func stubPerform(
    _ orientation: CGImagePropertyOrientation, _ buffer: CVPixelBuffer?
  ) throws -> [FaceObservation] {
    try StubVision.detect(orientation).map {
      FaceObservation(
        boundingBox: NormalizedRect(x: $0.minX, y: $0.minY, width: $0.width, height: $0.height),
        confidence: 1, captureQuality: nil)
    }
  }
}

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public struct DetectFaceCaptureQualityRequest: VisionRequest {
  public enum Revision: Sendable { case revision3 }
  public var inputFaceObservations: [FaceObservation]?
  public init(_ revision: Revision? = nil) {}
  public func stubPerform(
    _ orientation: CGImagePropertyOrientation, _ buffer: CVPixelBuffer?
  ) throws -> [FaceObservation] {
    let faces = inputFaceObservations ?? []
    return zip(faces, try StubVision.qualities(of: faces.count)).map { face, score in
      var face = face
      face.captureQuality = .init(score: score)
      return face
    }
  }
}

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public struct CoreMLModelContainer: @unchecked Sendable {
  let model: MLModel
  public init(model: MLModel) throws { self.model = model }
}

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public enum ImageCropAndScaleAction: Sendable { case centerCrop, scaleToFit, scaleToFill }

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public struct CoreMLRequest: VisionRequest {
  public enum Revision: Sendable { case revision1 }
  public var cropAndScaleAction = ImageCropAndScaleAction.centerCrop
  public var regionOfInterest = NormalizedRect(x: 0, y: 0, width: 1, height: 1)
  private let container: CoreMLModelContainer

  public init(model: CoreMLModelContainer, _ revision: Revision? = nil) { container = model }

  public func stubPerform(
    _ orientation: CGImagePropertyOrientation, _ buffer: CVPixelBuffer?
  ) throws -> [any VisionObservation] {
    let option: VNImageCropAndScaleOption =
      switch cropAndScaleAction {
      case .centerCrop: .centerCrop
      case .scaleToFit: .scaleFit
      case .scaleToFill: .scaleFill
      }
    return try StubVision.classify(
      regionOfInterest.cgRect, option, container.model.configuration.computeUnits, buffer,
      isSwift: true
    ).map { ClassificationObservation(identifier: $0.0, confidence: $0.1) }
  }
}

@available(iOS 18.0, macOS 15.0, visionOS 2.0, *)
@available(macCatalyst, unavailable)
public final class ImageRequestHandler: @unchecked Sendable {
  private let orientation: CGImagePropertyOrientation
  private let buffer: CVPixelBuffer?

  public init(_ pixelBuffer: CVPixelBuffer, orientation: CGImagePropertyOrientation? = nil) {
    buffer = pixelBuffer
    self.orientation = orientation ?? .up
  }
  public init(_ image: CGImage, orientation: CGImagePropertyOrientation? = nil) {
    buffer = nil
    self.orientation = orientation ?? .up
  }
  public init(_ image: CIImage, orientation: CGImagePropertyOrientation? = nil) {
    buffer = nil
    self.orientation = orientation ?? .up
  }

  public func perform<T: VisionRequest>(_ request: T) async throws -> T.Result {
    try request.stubPerform(orientation, buffer)
  }
}
