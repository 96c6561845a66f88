/// One analysed moment of a recording.
public struct RecordedMoment: Hashable, Sendable {
  /// Since the start of the recording.
  public let time: Duration
  /// Everybody in view; empty when nobody is.
  public let readings: [EmotionReading]
  /// What changed at this moment, as a live session would have reported it.
  public let events: [EmotionEvent]

  /// Creates a moment.
  public init(time: Duration, readings: [EmotionReading], events: [EmotionEvent]) {
    self.time = time
    self.readings = readings
    self.events = events
  }
}

/// Analyses the frames of a recording one after another.
///
/// The opposite of ``EmotionPipeline``: nothing is dropped for being late, because the caller waits
/// for each frame before it decodes the next. Time is the recording's own, so the result does not
/// depend on the speed of the machine.
package actor RecordingAnalyzer<Detector: FaceDetecting, Classifier: EmotionClassifying>
where Detector.Frame == Classifier.Frame {
  private let analyzer: FrameAnalyzer<Detector, Classifier>
  private var session: FaceSession
  private var gate: FrameGate

  /// Creates an analyzer that has seen nothing. `configuration.targetRate` is how many
  /// frames of each second of the recording are analysed.
  package init(
    detector: Detector, classifier: Classifier, cropMargin: Double,
    configuration: PipelineConfiguration = PipelineConfiguration()
  ) {
    analyzer = FrameAnalyzer(
      detector: detector, classifier: classifier, cropMargin: cropMargin,
      configuration: configuration)
    session = FaceSession(configuration: configuration)
    gate = FrameGate(rate: configuration.targetRate)
  }

  /// Analyses one frame. Hand them in by ascending time, one after another.
  ///
  /// - Returns: nil for a frame that is left out to keep the rate.
  /// - Throws: ``EmotionKitError`` or `CancellationError`.
  /// - Complexity: that of ``FrameAnalyzer/analyze(_:)``.
  package func analyze(_ frame: Detector.Frame, at time: Duration) async throws -> RecordedMoment? {
    guard gate.admit(at: time) else { return nil }
    let analyzed = try await analyzer.analyze(frame)
    let (readings, events) = session.advance(analyzed, imageSize: frame.orientedSize, at: time)
    return RecordedMoment(time: time, readings: readings, events: events)
  }
}
