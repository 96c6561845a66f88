#if canImport(Vision)
  import Vision

  /// Finds faces with Vision's face rectangles.
  struct VisionFaceDetector: FaceDetecting {
    let queue: VisionQueue

    func faces(in frame: EmotionFrame) async throws -> [DetectedFace] {
      try await queue.run {
        let request = VNDetectFaceRectanglesRequest()
        #if targetEnvironment(simulator)
          // The simulator has no Neural Engine: "Could not create inference context" otherwise.
          request.usesCPUOnly = true
        #endif
        try frame.handler.perform([request])
        return (request.results ?? []).map { observation in
          let box = observation.boundingBox
          return DetectedFace(
            box: UnitRect(x: box.minX, y: box.minY, width: box.width, height: box.height),
            confidence: Double(observation.confidence))
        }
      }
    }
  }
#endif
