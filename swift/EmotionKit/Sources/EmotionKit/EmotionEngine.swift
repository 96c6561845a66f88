#if canImport(Vision)
  /// A detector and a classifier that share one queue.
  struct EmotionEngine: Sendable {
    let detector: VisionFaceDetector
    let classifier: CoreMLEmotionClassifier

    /// Finds, checks, compiles, opens and warms up the model.
    ///
    /// - Throws: ``EmotionKitError``.
    static func load(
      _ source: EmotionModelSource, units: ComputeUnits,
      loader: CoreMLModelLoader = CoreMLModelLoader()
    ) async throws -> EmotionEngine {
      let queue = VisionQueue()
      let classifier = try await CoreMLEmotionClassifier.open(
        loader.prepare(source), units: units, queue: queue)
      do {
        try await classifier.warmUp()
      } catch let error as EmotionKitError {
        throw error
      } catch {
        throw EmotionKitError.inferenceFailed(reason: error.localizedDescription)
      }
      return EmotionEngine(detector: VisionFaceDetector(queue: queue), classifier: classifier)
    }
  }
#endif
