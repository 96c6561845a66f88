import Foundation

/// What the pretended Vision answers, and what it was asked. Set by tests, one test at a time.
public enum StubVision {
  public struct Script: Sendable {
    /// Lower-left origin, normalised.
    public var faces: [CGRect] = []
    public var classifications: [(String, Float)] = []
    /// What each compute unit makes of the pixels of a buffer, in place of `classifications`.
    public var network: (@Sendable (_ rgb: [UInt8], _ units: MLComputeUnits) -> [(String, Float)])?
    public var failingPredictions: Set<MLComputeUnits> = []
    /// Vision gives predictions up, as it does when an app goes to the background.
    public var cancelsPredictions = false
    public var failsToDetect = false
    /// Capture qualities of the faces; empty makes the request fail.
    public var qualities: [Float] = []
    public init() {}
  }

  public struct Prediction: Sendable {
    public let region: CGRect
    public let cropAndScale: VNImageCropAndScaleOption
    public let units: MLComputeUnits
    /// True when the Swift-only interface asked.
    public let isSwift: Bool
  }

  private static let lock = NSLock()
  nonisolated(unsafe) private static var current = Script()
  nonisolated(unsafe) private static var predicted: [Prediction] = []
  nonisolated(unsafe) private static var measured = 0
  nonisolated(unsafe) private static var detected: [CGImagePropertyOrientation] = []

  public static var script: Script { lock.withLock { current } }
  public static var predictions: [Prediction] { lock.withLock { predicted } }
  public static var detections: [CGImagePropertyOrientation] { lock.withLock { detected } }

  /// How often capture quality was asked for.
  public static var measurements: Int { lock.withLock { measured } }

  public static func reset(_ script: Script) {
    lock.withLock {
      current = script
      predicted = []
      measured = 0
      detected = []
    }
  }

  static func detect(_ orientation: CGImagePropertyOrientation) throws -> [CGRect] {
    try lock.withLock {
      detected.append(orientation)
      if current.failsToDetect { throw StubCoreML.Failure(message: "cannot detect") }
      return current.faces
    }
  }

  static func qualities(of count: Int) throws -> [Float] {
    try lock.withLock {
      measured += 1
      guard current.qualities.count == count else {
        throw StubCoreML.Failure(message: "cannot measure")
      }
      return current.qualities
    }
  }

  static func classify(
    _ region: CGRect, _ cropAndScale: VNImageCropAndScaleOption, _ units: MLComputeUnits,
    _ buffer: CVPixelBuffer?, isSwift: Bool = false
  ) throws -> [(String, Float)] {
    try lock.withLock {
      guard region.minX >= 0, region.minY >= 0, region.maxX <= 1, region.maxY <= 1 else {
        throw StubCoreML.Failure(message: "the region leaves the image")
      }
      predicted.append(
        Prediction(region: region, cropAndScale: cropAndScale, units: units, isSwift: isSwift))
      if current.cancelsPredictions {
        if #available(iOS 18.0, macOS 15.0, *), isSwift { throw VisionError.requestCancelled }
        throw NSError(domain: VNErrorDomain, code: VNErrorCode.requestCancelled.rawValue)
      }
      if current.failingPredictions.contains(units) {
        throw StubCoreML.Failure(message: "cannot predict on \(units)")
      }
      if let network = current.network, let buffer { return network(buffer.stubRGB, units) }
      return current.classifications
    }
  }
}
