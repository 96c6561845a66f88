import Foundation

/// What the pretended Vision answers, and what it was asked. Set by tests, one test at a time.
public enum StubVision {
  public struct Script: Sendable {
    /// Lower-left origin, normalised.
    public var faces: [CGRect] = []
    public var classifications: [(String, Float)] = []
    public var failingPredictions: Set<MLComputeUnits> = []
    public var failsToDetect = false
    public init() {}
  }

  public struct Prediction: Sendable {
    public let region: CGRect
    public let cropAndScale: VNImageCropAndScaleOption
    public let units: MLComputeUnits
  }

  private static let lock = NSLock()
  nonisolated(unsafe) private static var current = Script()
  nonisolated(unsafe) private static var predicted: [Prediction] = []
  nonisolated(unsafe) private static var detected: [CGImagePropertyOrientation] = []

  public static var script: Script { lock.withLock { current } }
  public static var predictions: [Prediction] { lock.withLock { predicted } }
  public static var detections: [CGImagePropertyOrientation] { lock.withLock { detected } }

  public static func reset(_ script: Script) {
    lock.withLock {
      current = script
      predicted = []
      detected = []
    }
  }

  static func detect(_ orientation: CGImagePropertyOrientation) throws -> [VNFaceObservation] {
    try lock.withLock {
      detected.append(orientation)
      if current.failsToDetect { throw StubCoreML.Failure(message: "cannot detect") }
      return current.faces.map { VNFaceObservation(boundingBox: $0, confidence: 1) }
    }
  }

  static func classify(
    _ region: CGRect, _ cropAndScale: VNImageCropAndScaleOption, _ units: MLComputeUnits
  ) throws -> [VNObservation] {
    try lock.withLock {
      guard region.minX >= 0, region.minY >= 0, region.maxX <= 1, region.maxY <= 1 else {
        throw StubCoreML.Failure(message: "the region leaves the image")
      }
      predicted.append(Prediction(region: region, cropAndScale: cropAndScale, units: units))
      if current.failingPredictions.contains(units) {
        throw StubCoreML.Failure(message: "cannot predict on \(units)")
      }
      return current.classifications.map {
        VNClassificationObservation(identifier: $0.0, confidence: $0.1)
      }
    }
  }
}
