#if canImport(Vision)
  import CoreML
  import Foundation
  import Vision

  /// Runs the network on one square region through Vision's `VN` classes.
  ///
  /// `@unchecked Sendable`: everything mutable is touched on `queue` alone.
  final class CoreMLEmotionClassifier: EngineClassifying, @unchecked Sendable {
    let contract: ModelContract
    private let queue: VisionQueue
    private let prepared: CoreMLModelLoader.Prepared
    private let fallback: FallbackReporter
    private var request: VNCoreMLRequest
    /// Kept for the next frame that fails, while the processor has not taken over.
    private var processorRequest: VNCoreMLRequest?
    private var state: InferenceDiagnostics

    /// Opens the model on the queue, which takes a while.
    ///
    /// - Throws: ``EmotionKitError``.
    static func open(
      _ prepared: CoreMLModelLoader.Prepared, units: ComputeUnits, queue: VisionQueue,
      fallback: FallbackReporter
    ) async throws -> CoreMLEmotionClassifier {
      try await queue.run {
        try CoreMLEmotionClassifier(
          prepared, opened: CoreMLModelLoader.open(prepared, units: units), queue: queue,
          fallback: fallback)
      }
    }

    private init(
      _ prepared: CoreMLModelLoader.Prepared, opened: CoreMLModelLoader.Opened,
      queue: VisionQueue, fallback: FallbackReporter
    ) throws(EmotionKitError) {
      self.prepared = prepared
      self.queue = queue
      self.fallback = fallback
      contract = opened.contract
      state = opened.diagnostics
      request = try Self.makeRequest(opened.model, prepared.compiled)
      if let reason = state.fallbackReason { fallback.report(reason) }
    }

    func classify(
      _ region: UnitRect, in frame: EmotionFrame
    ) async throws -> EmotionDistribution {
      try await queue.run { [self] in
        do {
          return try predict(request, region, in: frame)
        } catch let error as EmotionKitError {
          throw error
        } catch is CancellationError {
          throw CancellationError()
        } catch {
          return try predictOnProcessor(region, in: frame, because: error)
        }
      }
    }

    /// What the network runs on.
    func diagnostics() async throws -> InferenceDiagnostics {
      try await queue.run { [self] in state }
    }

    func computePlan() async throws -> ComputePlan? {
      let units = try await diagnostics().active
      return try await ComputePlan.load(compiled: prepared.compiled, units: units)
    }

    /// - Throws: `CancellationError` when Vision gave the request up, which says nothing about the
    ///   network.
    private func predict(
      _ request: VNCoreMLRequest, _ region: UnitRect, in frame: EmotionFrame
    ) throws -> EmotionDistribution {
      request.regionOfInterest = CGRect(
        x: region.x, y: region.y, width: region.width, height: region.height)
      do {
        try frame.handler.perform([request])
      } catch let error as NSError
        where error.domain == VNErrorDomain && error.code == VNErrorCode.requestCancelled.rawValue
      {
        throw CancellationError()
      }
      let answers = (request.results ?? []).compactMap { $0 as? VNClassificationObservation }
      return try EmotionDistribution(
        answers.map { ($0.identifier, $0.confidence) }, of: contract)
    }

    /// Some Neural Engines refuse some models only when they run. The processor takes over once it has
    /// answered; where it fails as well, the frame was at fault and everything stays as it was.
    private func predictOnProcessor(
      _ region: UnitRect, in frame: EmotionFrame, because error: any Error
    ) throws -> EmotionDistribution {
      guard state.active != .cpuOnly else { throw error }
      let onProcessor: VNCoreMLRequest
      if let processorRequest {
        onProcessor = processorRequest
      } else {
        let opened = try CoreMLModelLoader.open(prepared, units: .cpuOnly)
        onProcessor = try Self.makeRequest(opened.model, prepared.compiled)
        processorRequest = onProcessor
      }
      guard let answer = try? predict(onProcessor, region, in: frame) else { throw error }
      request = onProcessor
      processorRequest = nil
      let reason = error.localizedDescription
      state = InferenceDiagnostics(
        requested: state.requested, active: .cpuOnly, fallbackReason: reason)
      fallback.report(reason)
      return answer
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

  extension EmotionDistribution {
    /// From what either Vision interface answers.
    init(
      _ classifications: [(label: String, confidence: Float)], of contract: ModelContract
    ) throws(EmotionKitError) {
      guard !classifications.isEmpty else {
        throw .inferenceFailed(
          reason: "Vision returned no classification; the model is not a classifier")
      }
      try self.init(
        labelled: Dictionary(
          classifications.map { ($0.label, Double($0.confidence)) },
          uniquingKeysWith: { first, _ in first }),
        labels: contract.displayLabels)
    }
  }
#endif
