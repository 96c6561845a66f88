#if canImport(Vision)
  import CoreML
  import Vision

  /// Finds faces with Vision's `VN` classes and, if wanted, measures how well each was captured.
  struct VisionFaceDetector: FaceDetecting {
    let queue: VisionQueue
    let measuresQuality: Bool

    func faces(in frame: EmotionFrame) async throws -> [DetectedFace] {
      try await queue.run {
        let request = VNDetectFaceRectanglesRequest()
        try perform(request, on: frame)
        let found = request.results ?? []
        guard measuresQuality, !found.isEmpty else { return found.map(DetectedFace.init) }
        return try measured(found, in: frame).map(DetectedFace.init)
      }
    }

    /// The same faces with their quality. A frame without it is better than no frame.
    private func measured(
      _ found: [VNFaceObservation], in frame: EmotionFrame
    ) throws -> [VNFaceObservation] {
      let request = VNDetectFaceCaptureQualityRequest()
      request.inputFaceObservations = found
      guard (try? perform(request, on: frame)) != nil, let measured = request.results,
        measured.count == found.count
      else { return found }
      return measured
    }

    private func perform(_ request: VNImageBasedRequest, on frame: EmotionFrame) throws {
      #if targetEnvironment(simulator)
        // The simulator has no Neural Engine: "Could not create inference context" otherwise.
        if #available(iOS 17.0, macOS 14.0, tvOS 17.0, visionOS 1.0, *) {
          let processor = MLComputeDevice.allComputeDevices.first {
            if case .cpu = $0 { true } else { false }
          }
          request.setComputeDevice(processor, for: .main)
        } else {
          request.usesCPUOnly = true
        }
      #endif
      try frame.handler.perform([request])
    }
  }

  extension DetectedFace {
    init(_ observation: VNFaceObservation) {
      let box = observation.boundingBox
      self.init(
        box: UnitRect(x: box.minX, y: box.minY, width: box.width, height: box.height),
        confidence: Double(observation.confidence),
        captureQuality: observation.faceCaptureQuality.map(Double.init))
    }
  }
#endif
