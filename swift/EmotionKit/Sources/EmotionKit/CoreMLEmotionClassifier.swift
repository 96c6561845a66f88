#if canImport(Vision)
  import CoreVideo
  import Foundation
  import Vision

  /// Runs the network on one square region through Vision.
  ///
  /// `@unchecked Sendable`: everything mutable is touched on `queue` alone.
  final class CoreMLEmotionClassifier: EmotionClassifying, @unchecked Sendable {
    let contract: ModelContract
    private let queue: VisionQueue
    private let prepared: CoreMLModelLoader.Prepared
    private var request: VNCoreMLRequest
    private var state: InferenceDiagnostics

    /// Opens the model on the queue, which takes a while.
    ///
    /// - Throws: ``EmotionKitError``.
    static func open(
      _ prepared: CoreMLModelLoader.Prepared, units: ComputeUnits, queue: VisionQueue
    ) async throws -> CoreMLEmotionClassifier {
      try await queue.run {
        try CoreMLEmotionClassifier(
          prepared, opened: CoreMLModelLoader.open(prepared, units: units), queue: queue)
      }
    }

    private init(
      _ prepared: CoreMLModelLoader.Prepared, opened: CoreMLModelLoader.Opened, queue: VisionQueue
    ) throws(EmotionKitError) {
      self.prepared = prepared
      self.queue = queue
      contract = opened.contract
      state = opened.diagnostics
      request = try Self.makeRequest(opened.model, prepared.compiled)
    }

    func classify(
      _ region: UnitRect, in frame: EmotionFrame
    ) async throws -> EmotionDistribution {
      try await queue.run { [self] in
        do {
          return try predict(region, in: frame)
        } catch let error as EmotionKitError {
          throw error
        } catch {
          try switchToProcessor(because: error)
          return try predict(region, in: frame)
        }
      }
    }

    /// What the network runs on.
    func diagnostics() async throws -> InferenceDiagnostics {
      try await queue.run { [self] in state }
    }

    /// Runs the network once on a black image: the first prediction is slow, because Core ML
    /// prepares the hardware then.
    ///
    /// - Throws: ``EmotionKitError`` or Vision's error.
    func warmUp() async throws {
      let side = contract.preprocess.inputSize
      var buffer: CVPixelBuffer?
      let status = CVPixelBufferCreate(
        kCFAllocatorDefault, side, side, kCVPixelFormatType_32BGRA, nil, &buffer)
      guard status == kCVReturnSuccess, let buffer else {
        throw EmotionKitError.inferenceFailed(reason: "no memory for a pixel buffer (\(status))")
      }
      _ = try await classify(.full, in: EmotionFrame(pixelBuffer: buffer))
    }

    private func predict(
      _ region: UnitRect, in frame: EmotionFrame
    ) throws -> EmotionDistribution {
      request.regionOfInterest = CGRect(
        x: region.x, y: region.y, width: region.width, height: region.height)
      try frame.handler.perform([request])
      guard let answers = request.results as? [VNClassificationObservation], !answers.isEmpty else {
        throw EmotionKitError.inferenceFailed(
          reason: "Vision returned no classification; the model is not a classifier")
      }
      let labelled = answers.map { ($0.identifier, Double($0.confidence)) }
      return try EmotionDistribution(
        labelled: Dictionary(labelled, uniquingKeysWith: { first, _ in first }))
    }

    /// Some Neural Engines refuse some models only when they run. Tried once.
    private func switchToProcessor(because error: any Error) throws {
      guard state.active != .cpuOnly else { throw error }
      let opened = try CoreMLModelLoader.open(prepared, units: .cpuOnly)
      request = try Self.makeRequest(opened.model, prepared.compiled)
      state = InferenceDiagnostics(
        requested: state.requested, active: .cpuOnly, fallbackReason: error.localizedDescription)
    }

    private static func makeRequest(
      _ model: MLModel, _ url: URL
    ) throws(EmotionKitError) -> VNCoreMLRequest {
      do {
        let request = VNCoreMLRequest(model: try VNCoreMLModel(for: model))
        // The region is square in pixels already. Vision's default would cut off forehead and chin
        // of anything that is not.
        request.imageCropAndScaleOption = .scaleFill
        return request
      } catch {
        throw .modelLoadFailed(url, reason: error.localizedDescription)
      }
    }
  }
#endif
