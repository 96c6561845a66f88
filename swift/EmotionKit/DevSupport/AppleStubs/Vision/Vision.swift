@_exported import CoreImage
@_exported import CoreML
@_exported import CoreVideo
@_exported import ImageIO

public typealias VNConfidence = Float
public typealias VNRequestCompletionHandler = (VNRequest, (any Error)?) -> Void
public let VNErrorDomain = "com.apple.vis"

public enum VNErrorCode: Int, Sendable { case ok, requestCancelled }

public struct VNComputeStage: Hashable, Sendable {
  public static let main = VNComputeStage()
}

public struct VNImageOption: Hashable, Sendable {}

public class VNObservation: NSObject {
  public let uuid = UUID()
  public let confidence: VNConfidence
  init(confidence: VNConfidence) { self.confidence = confidence }
}

public class VNDetectedObjectObservation: VNObservation {
  public let boundingBox: CGRect
  init(boundingBox: CGRect, confidence: VNConfidence) {
    self.boundingBox = boundingBox
    super.init(confidence: confidence)
  }
}

public class VNFaceObservation: VNDetectedObjectObservation {
  public fileprivate(set) var faceCaptureQuality: Float?
}

public class VNClassificationObservation: VNObservation {
  public let identifier: String
  init(identifier: String, confidence: VNConfidence) {
    self.identifier = identifier
    super.init(confidence: confidence)
  }
}

public enum VNImageCropAndScaleOption: UInt, Sendable {
  case centerCrop = 0
  case scaleFit = 1
  case scaleFill = 2
}

public class VNRequest: NSObject {
  fileprivate var stored: [VNObservation]?
  @available(iOS, deprecated: 17.0)
  @available(macOS, deprecated: 14.0)
  @available(macCatalyst, deprecated: 17.0)
  @available(visionOS, deprecated: 1.0)
  public var usesCPUOnly: Bool {
    get { false }
    set {}
  }
  @available(iOS 17.0, macOS 14.0, macCatalyst 17.0, visionOS 1.0, *)
  public func setComputeDevice(_ device: MLComputeDevice?, for stage: VNComputeStage) {}
  // Apple declares `results` here and narrows it below, which Swift without Objective-C cannot.
}

public class VNImageBasedRequest: VNRequest {
  public var regionOfInterest = CGRect(x: 0, y: 0, width: 1, height: 1)
}

public class VNDetectFaceRectanglesRequest: VNImageBasedRequest {
  public override init() {}
  public var results: [VNFaceObservation]? { stored as? [VNFaceObservation] }
}

public class VNDetectFaceCaptureQualityRequest: VNImageBasedRequest {
  public override init() {}
  public var inputFaceObservations: [VNFaceObservation]?
  public var results: [VNFaceObservation]? { stored as? [VNFaceObservation] }
}

public class VNCoreMLModel: NSObject {
  let model: MLModel
  public init(for model: MLModel) throws { self.model = model }
}

public class VNCoreMLRequest: VNImageBasedRequest {
  public let model: VNCoreMLModel
  public var results: [VNObservation]? { stored }
  public var imageCropAndScaleOption: VNImageCropAndScaleOption = .centerCrop
  public init(model: VNCoreMLModel) { self.model = model }
}

public class VNImageRequestHandler: NSObject {
  private let size: (width: Int, height: Int)
  private let buffer: CVPixelBuffer?
  private let orientation: CGImagePropertyOrientation

  public init(
    cvPixelBuffer buffer: CVPixelBuffer, orientation: CGImagePropertyOrientation,
    options: [VNImageOption: Any] = [:]
  ) {
    size = (CVPixelBufferGetWidth(buffer), CVPixelBufferGetHeight(buffer))
    self.buffer = buffer
    self.orientation = orientation
  }

  public init(
    cgImage: CGImage, orientation: CGImagePropertyOrientation, options: [VNImageOption: Any] = [:]
  ) {
    size = (cgImage.width, cgImage.height)
    buffer = nil
    self.orientation = orientation
  }

  public init(
    ciImage: CIImage, orientation: CGImagePropertyOrientation, options: [VNImageOption: Any] = [:]
  ) {
    size = (Int(ciImage.extent.width), Int(ciImage.extent.height))
    buffer = nil
    self.orientation = orientation
  }

  public func perform(_ requests: [VNRequest]) throws {
    for request in requests {
      switch request {
      case let request as VNDetectFaceRectanglesRequest:
        request.stored = try StubVision.detect(orientation).map {
          VNFaceObservation(boundingBox: $0, confidence: 1)
        }
      case let request as VNDetectFaceCaptureQualityRequest:
        let faces = request.inputFaceObservations ?? []
        let scores = try StubVision.qualities(of: faces.count)
        for (face, score) in zip(faces, scores) { face.faceCaptureQuality = score }
        request.stored = faces
      case let request as VNCoreMLRequest:
        request.stored = try StubVision.classify(
          request.regionOfInterest, request.imageCropAndScaleOption,
          request.model.model.configuration.computeUnits, buffer
        ).map { VNClassificationObservation(identifier: $0.0, confidence: $0.1) }
      default:
        throw StubCoreML.Failure(message: "the stub does not know \(type(of: request))")
      }
    }
  }
}
