#if canImport(Vision)
  import Foundation

  /// Reads the expressions in a video file, with the tracking and smoothing of a live camera.
  ///
  ///     let analyzer = try await VideoAnalyzer()
  ///     for try await moment in analyzer.moments(in: videoURL) {
  ///       print(moment.time, moment.readings.map(\.dominant))
  ///     }
  public struct VideoAnalyzer: Sendable {
    /// What the model promises; `isDemo` says whether it learnt from real faces.
    public let contract: ModelContract

    private let engine: EmotionEngine
    private let configuration: EmotionConfiguration

    /// Loads the model. `configuration.pipeline.targetRate` is how many frames of each
    /// second of a video are analysed.
    ///
    /// - Throws: ``EmotionKitError``.
    public init(
      configuration: EmotionConfiguration = EmotionConfiguration(),
      model: EmotionModelSource = .bundled
    ) async throws {
      self.init(
        engine: try await EmotionEngine.load(model, configuration: configuration),
        configuration: configuration)
    }

    init(engine: EmotionEngine, configuration: EmotionConfiguration) {
      contract = engine.classifier.contract
      self.engine = engine
      self.configuration = configuration
    }

    /// The analysed frames of a video, in order, as fast as the device allows.
    ///
    /// A frame is decoded when the one before has been taken from the stream: memory does not grow
    /// with the length of the video. To stop, leave the loop or cancel its task.
    ///
    /// - Returns: a stream that throws ``EmotionKitError`` when the file cannot be read or the
    ///   network cannot be run.
    public func moments(in url: URL) -> AsyncThrowingStream<RecordedMoment, any Error> {
      let reading = VideoReading(
        url: url,
        analyzer: RecordingAnalyzer(
          detector: engine.detector, classifier: engine.classifier,
          cropMargin: contract.preprocess.cropMargin, configuration: configuration.pipeline))
      return AsyncThrowingStream { try await reading.next() }
    }
  }

  /// The state of one pass through a video.
  private actor VideoReading {
    private let url: URL
    private let analyzer: RecordingAnalyzer<AnyFaceDetector, AnyEmotionClassifier>
    private var reader: VideoFrameReader?

    init(url: URL, analyzer: RecordingAnalyzer<AnyFaceDetector, AnyEmotionClassifier>) {
      self.url = url
      self.analyzer = analyzer
    }

    func next() async throws -> RecordedMoment? {
      let reader = try await openReader()
      while let decoded = try await reader.next() {
        try Task.checkCancellation()
        if let moment = try await analyzer.analyze(decoded.frame, at: decoded.time) {
          return moment
        }
      }
      return nil
    }

    private func openReader() async throws -> VideoFrameReader {
      if let reader { return reader }
      let opened = try await VideoFrameReader.open(url)
      reader = opened
      return opened
    }
  }
#endif
