/// One face of one frame, with the network's answer.
package struct AnalyzedFace: Hashable, Sendable {
  /// The detection.
  package var face: DetectedFace
  /// The network's output.
  package var distribution: EmotionDistribution

  /// Creates a result.
  package init(face: DetectedFace, distribution: EmotionDistribution) {
    self.face = face
    self.distribution = distribution
  }
}

/// Detects, chooses, plans regions and classifies; remembers nothing.
package struct FrameAnalyzer<Detector: FaceDetecting, Classifier: EmotionClassifying>: Sendable
where Detector.Frame == Classifier.Frame {
  private let detector: Detector
  private let classifier: Classifier
  private let planner: RegionPlanner
  private let configuration: PipelineConfiguration

  /// Creates an analyzer that cuts regions with the model's own margin.
  package init(
    detector: Detector, classifier: Classifier, cropMargin: Double,
    configuration: PipelineConfiguration = PipelineConfiguration()
  ) {
    self.detector = detector
    self.classifier = classifier
    self.planner = RegionPlanner(margin: cropMargin)
    self.configuration = configuration
  }

  /// Analyses one frame.
  ///
  /// - Returns: the chosen faces, largest first.
  /// - Throws: `CancellationError`, or the detector's or classifier's failure as an
  ///   ``EmotionKitError``.
  /// - Complexity: one detection, and one prediction for each chosen face.
  package func analyze(_ frame: Detector.Frame) async throws -> [AnalyzedFace] {
    try await classify(detect(in: frame), in: frame)
  }

  /// The first half of ``analyze(_:)``: finds and chooses.
  func detect(in frame: Detector.Frame) async throws -> [DetectedFace] {
    do {
      return choose(from: try await detector.faces(in: frame))
    } catch {
      throw Self.ours(error)
    }
  }

  /// The second half: runs the network on each face.
  func classify(
    _ faces: [DetectedFace], in frame: Detector.Frame
  ) async throws -> [AnalyzedFace] {
    do {
      var results: [AnalyzedFace] = []
      for face in faces {
        try Task.checkCancellation()
        let region = try planner.region(around: face.box, in: frame.orientedSize)
        let distribution = try await classifier.classify(region, in: frame)
        results.append(AnalyzedFace(face: face, distribution: distribution))
      }
      return results
    } catch {
      throw Self.ours(error)
    }
  }

  /// Analyses one frame by itself and reports it without smoothing.
  ///
  /// - Returns: one reading for each chosen face, largest first, with identities counted from 1.
  /// - Throws: as ``analyze(_:)``.
  package func readings(in frame: Detector.Frame) async throws -> [EmotionReading] {
    try await analyze(frame).enumerated().map { index, result in
      EmotionReading(
        faceID: FaceID(rawValue: UInt64(index + 1)), dominant: result.distribution.top.emotion,
        probabilities: result.distribution, raw: result.distribution,
        boundingBox: result.face.box, imageSize: frame.orientedSize,
        detectionConfidence: result.face.confidence,
        captureQuality: result.face.captureQuality, timestamp: .zero)
    }
  }

  private static func ours(_ error: any Error) -> any Error {
    if error is EmotionKitError || error is CancellationError { return error }
    return EmotionKitError.inferenceFailed(reason: error.localizedDescription)
  }

  private func choose(from faces: [DetectedFace]) -> [DetectedFace] {
    let usable = faces.filter { face in
      face.box.isUsable && face.box.height >= configuration.minimumFaceHeight
        && face.confidence >= configuration.minimumDetectionConfidence
    }
    let largestFirst = usable.sorted { $0.box.area > $1.box.area }
    return Array(largestFirst.prefix(max(configuration.maximumFaces, 0)))
  }
}
