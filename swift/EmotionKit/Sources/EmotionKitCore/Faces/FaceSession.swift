/// The memory of a live session: who is in view and what was decided about each.
///
/// Pure: frames go in, readings and events come out, and nothing else happens.
struct FaceSession: Sendable {
  private struct Face: Sendable {
    var smoother: TemporalSmoother
    var decider: HysteresisDecider
  }

  private let configuration: PipelineConfiguration
  private var assigner: TrackAssigner
  private var faces: [FaceID: Face] = [:]
  private var lastTime: Duration?

  /// Faces remembered now, which bounds the memory of a session.
  var rememberedFaces: Int { faces.count }

  init(configuration: PipelineConfiguration) {
    self.configuration = configuration
    assigner = TrackAssigner(
      minimumOverlap: configuration.minimumOverlap, lostTimeout: configuration.lostTimeout)
  }

  /// Takes one analysed frame.
  ///
  /// A time that jumps back by more than the reset gap is another recording, or the same from its
  /// start: everybody is forgotten first.
  ///
  /// - Returns: one reading for each face in the same order, and the events in the order to send:
  ///   lost, appeared, changed, then the frame itself.
  /// - Complexity: that of ``TrackAssigner/update(_:at:)``.
  mutating func advance(
    _ analyzed: [AnalyzedFace], imageSize: PixelSize, at time: Duration
  ) -> (readings: [EmotionReading], events: [EmotionEvent]) {
    var events: [EmotionEvent] = []
    if let lastTime, time < lastTime - configuration.resetGap { events = reset() }
    lastTime = time
    let update = assigner.update(analyzed.map(\.face.box), at: time)
    for id in update.lost { faces[id] = nil }
    events += update.lost.map(EmotionEvent.faceLost)
    events += update.appeared.map(EmotionEvent.faceAppeared)

    var readings: [EmotionReading] = []
    for (id, result) in zip(update.ids, analyzed) {
      var face = faces[id] ?? newFace()
      let before = face.decider.current
      let smoothed = face.smoother.update(
        result.distribution, at: time, weight: result.face.captureQuality ?? 1)
      let after = face.decider.update(smoothed, at: time)
      faces[id] = face
      let reading = EmotionReading(
        faceID: id, dominant: after, probabilities: smoothed, raw: result.distribution,
        boundingBox: result.face.box, imageSize: imageSize,
        detectionConfidence: result.face.confidence,
        captureQuality: result.face.captureQuality, timestamp: time)
      readings.append(reading)
      if before != after { events.append(.changed(id, from: before, to: after, reading: reading)) }
    }
    events.append(.frame(readings))
    return (readings, events)
  }

  /// Forgets everybody.
  ///
  /// - Returns: a ``EmotionEvent/faceLost(_:)`` for each face that was in view.
  mutating func reset() -> [EmotionEvent] {
    faces = [:]
    lastTime = nil
    return assigner.reset().map(EmotionEvent.faceLost)
  }

  private func newFace() -> Face {
    Face(
      smoother: TemporalSmoother(
        timeConstant: configuration.smoothing, resetGap: configuration.resetGap),
      decider: HysteresisDecider(
        enter: configuration.enter, leave: configuration.leave,
        minimumDwell: configuration.minimumDwell))
  }
}
