#if canImport(Vision) && !targetEnvironment(simulator) && !targetEnvironment(macCatalyst)
  import CoreML
  import Foundation
  import ImageIO
  import Vision

  /// Finds faces with the Swift-only Vision interface.
  @available(iOS 18.0, macOS 15.0, tvOS 18.0, visionOS 2.0, *)
  struct SwiftVisionDetector: FaceDetecting {
    let measuresQuality: Bool

    func faces(in frame: EmotionFrame) async throws -> [DetectedFace] {
      // One handler for both requests: the image is prepared once.
      let handler = frame.imageRequestHandler()
      let found = try await handler.perform(DetectFaceRectanglesRequest())
      guard measuresQuality, !found.isEmpty else { return found.map(DetectedFace.init) }
      var request = DetectFaceCaptureQualityRequest()
      request.inputFaceObservations = found
      // A frame without a quality is better than no frame.
      guard let measured = try? await handler.perform(request), measured.count == found.count
      else { return found.map(DetectedFace.init) }
      return measured.map(DetectedFace.init)
    }
  }

  /// Runs the network on one square region through the Swift-only Vision interface.
  @available(iOS 18.0, macOS 15.0, tvOS 18.0, visionOS 2.0, *)
  actor SwiftVisionClassifier: EngineClassifying {
    private struct Ready: Sendable {
      let container: CoreMLModelContainer
      let contract: ModelContract
      let diagnostics: InferenceDiagnostics
    }

    nonisolated let contract: ModelContract
    private let queue: VisionQueue
    private let prepared: CoreMLModelLoader.Prepared
    private let fallback: FallbackReporter
    private var container: CoreMLModelContainer
    /// Kept for the next frame that fails, while the processor has not taken over.
    private var processorContainer: CoreMLModelContainer?
    private var state: InferenceDiagnostics

    /// Opens the model on the queue, which takes a while.
    ///
    /// - Throws: ``EmotionKitError``.
    static func open(
      _ prepared: CoreMLModelLoader.Prepared, units: ComputeUnits, queue: VisionQueue,
      fallback: FallbackReporter
    ) async throws -> SwiftVisionClassifier {
      let ready = try await load(prepared, units: units, queue: queue)
      return SwiftVisionClassifier(prepared, ready, queue: queue, fallback: fallback)
    }

    private init(
      _ prepared: CoreMLModelLoader.Prepared, _ ready: Ready, queue: VisionQueue,
      fallback: FallbackReporter
    ) {
      self.prepared = prepared
      self.queue = queue
      self.fallback = fallback
      contract = ready.contract
      container = ready.container
      state = ready.diagnostics
      if let reason = ready.diagnostics.fallbackReason { fallback.report(reason) }
    }

    func classify(
      _ region: UnitRect, in frame: EmotionFrame
    ) async throws -> EmotionDistribution {
      let used = state.active
      do {
        return try await predict(container, region, in: frame)
      } catch let error as EmotionKitError {
        throw error
      } catch is CancellationError {
        throw CancellationError()
      } catch {
        guard used != .cpuOnly else { throw error }
        return try await predictOnProcessor(region, in: frame, because: error)
      }
    }

    func diagnostics() -> InferenceDiagnostics { state }

    func computePlan() async throws -> ComputePlan? {
      try await ComputePlan.load(compiled: prepared.compiled, units: state.active)
    }

    /// - Throws: `CancellationError` when Vision gave the request up, which says nothing about the
    ///   network.
    private func predict(
      _ container: CoreMLModelContainer, _ region: UnitRect, in frame: EmotionFrame
    ) async throws -> EmotionDistribution {
      var request = CoreMLRequest(model: container)
      // The region is square in pixels already; anything but filling would cut or letterbox it.
      request.cropAndScaleAction = .scaleToFill
      request.regionOfInterest = NormalizedRect(
        x: region.x, y: region.y, width: region.width, height: region.height)
      let results: [any VisionObservation]
      do {
        results = try await frame.imageRequestHandler().perform(request)
      } catch VisionError.requestCancelled {
        throw CancellationError()
      }
      let answers = results.compactMap { $0 as? ClassificationObservation }
      return try EmotionDistribution(
        answers.map { ($0.identifier, $0.confidence) }, of: contract)
    }

    /// The processor takes over once it has answered; where it fails as well, the frame was at fault
    /// and everything stays as it was.
    private func predictOnProcessor(
      _ region: UnitRect, in frame: EmotionFrame, because error: any Error
    ) async throws -> EmotionDistribution {
      let candidate: CoreMLModelContainer
      if state.active == .cpuOnly {
        // Another prediction moved the network while this one was failing.
        candidate = container
      } else if let processorContainer {
        candidate = processorContainer
      } else {
        candidate = try await Self.load(prepared, units: .cpuOnly, queue: queue).container
        processorContainer = candidate
      }
      guard let answer = try? await predict(candidate, region, in: frame) else { throw error }
      if state.active != .cpuOnly {
        container = candidate
        processorContainer = nil
        let reason = error.localizedDescription
        state = InferenceDiagnostics(
          requested: state.requested, active: .cpuOnly, fallbackReason: reason,
          usesSwiftVision: true)
        fallback.report(reason)
      }
      return answer
    }

    private static func load(
      _ prepared: CoreMLModelLoader.Prepared, units: ComputeUnits, queue: VisionQueue
    ) async throws -> Ready {
      try await queue.run {
        let opened = try CoreMLModelLoader.open(prepared, units: units)
        var diagnostics = opened.diagnostics
        diagnostics.usesSwiftVision = true
        do {
          return Ready(
            container: try CoreMLModelContainer(model: opened.model), contract: opened.contract,
            diagnostics: diagnostics)
        } catch {
          throw EmotionKitError.modelLoadFailed(
            prepared.compiled, reason: error.localizedDescription)
        }
      }
    }
  }

  @available(iOS 18.0, macOS 15.0, tvOS 18.0, visionOS 2.0, *)
  extension EmotionFrame {
    fileprivate func imageRequestHandler() -> ImageRequestHandler {
      switch pixels {
      case .buffer(let buffer): return ImageRequestHandler(buffer, orientation: orientation)
      case .image(let image): return ImageRequestHandler(image, orientation: orientation)
      case .recipe(let image): return ImageRequestHandler(image, orientation: orientation)
      }
    }
  }

  @available(iOS 18.0, macOS 15.0, tvOS 18.0, visionOS 2.0, *)
  extension DetectedFace {
    fileprivate init(_ observation: FaceObservation) {
      let box = observation.boundingBox.cgRect
      self.init(
        box: UnitRect(x: box.minX, y: box.minY, width: box.width, height: box.height),
        confidence: Double(observation.confidence),
        captureQuality: observation.captureQuality.map { Double($0.score) })
    }
  }
#endif
