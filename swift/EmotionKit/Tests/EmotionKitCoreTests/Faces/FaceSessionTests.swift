import Testing

@testable import EmotionKitCore

@Suite struct FaceSessionTests {
  private let size = PixelSize(width: 640, height: 480)

  private func face(
    _ x: Double, _ emotion: Emotion, _ share: Double = 0.9, quality: Double? = nil
  ) -> AnalyzedFace {
    AnalyzedFace(
      face: DetectedFace(
        box: UnitRect(x: x, y: 0.4, width: 0.2, height: 0.2), confidence: 0.8,
        captureQuality: quality),
      distribution: .mostly(emotion, share))
  }

  @Test func aFaceAppearsChangesAndIsLost() throws {
    var session = FaceSession(configuration: PipelineConfiguration())
    let (readings, events) = session.advance([face(0.1, .happiness)], imageSize: size, at: .zero)
    let reading = try #require(readings.first)
    let id = FaceID(rawValue: 1)
    #expect(reading.faceID == id && reading.dominant == .happiness)
    #expect(reading.probabilities == reading.raw && reading.detectionConfidence == 0.8)
    #expect(
      events == [
        .faceAppeared(id), .changed(id, from: nil, to: .happiness, reading: reading),
        .frame([reading]),
      ])
    let gone = session.advance([], imageSize: size, at: .seconds(2)).events
    #expect(gone == [.faceLost(id), .frame([])])
  }

  @Test func theSameAnswerIsReportedOnce() {
    var session = FaceSession(configuration: PipelineConfiguration())
    var changes = 0
    for step in 0..<50 {
      let events = session.advance(
        [face(0.1, .sadness)], imageSize: size, at: .milliseconds(80 * step)
      ).events
      changes += events.count { if case .changed = $0 { true } else { false } }
    }
    #expect(changes == 1)
  }

  @Test func aSingleOddFrameDoesNotChangeTheAnswer() {
    var session = FaceSession(configuration: PipelineConfiguration())
    for step in 0..<20 {
      let emotion: Emotion = step == 15 ? .anger : .neutral
      let reading = session.advance(
        [face(0.1, emotion)], imageSize: size, at: .milliseconds(80 * step)
      ).readings[0]
      #expect(reading.dominant == .neutral)
      if step == 15 { #expect(reading.raw.top.emotion == .anger) }
    }
  }

  @Test func facesDoNotShareTheirPast() {
    var session = FaceSession(configuration: PipelineConfiguration())
    for step in 0..<10 {
      let readings = session.advance(
        [face(0.1, .happiness), face(0.7, .anger)], imageSize: size, at: .milliseconds(80 * step)
      ).readings
      #expect(readings.map(\.dominant) == [.happiness, .anger])
    }
  }

  @Test func doubtBecomesAnEvent() {
    var session = FaceSession(configuration: PipelineConfiguration(smoothing: .zero))
    _ = session.advance([face(0.1, .happiness)], imageSize: size, at: .zero)
    let events = session.advance(
      [face(0.1, .happiness, 0.3)], imageSize: size, at: .milliseconds(500)
    ).events
    let changed = events.contains {
      if case .changed(_, from: .happiness, to: nil, _) = $0 { true } else { false }
    }
    #expect(changed)
  }

  @Test func captureQualityReachesTheAverageAndTheReading() throws {
    func angerAfter(quality: Double) throws -> Double {
      var session = FaceSession(configuration: PipelineConfiguration())
      _ = session.advance([face(0.1, .neutral, quality: 0.8)], imageSize: size, at: .zero)
      let reading = try #require(
        session.advance(
          [face(0.1, .anger, quality: quality)], imageSize: size, at: .milliseconds(80)
        ).readings.first)
      #expect(reading.captureQuality == quality)
      return reading.probabilities[.anger]
    }
    #expect(try angerAfter(quality: 0.8) > 2 * angerAfter(quality: 0.1))
  }

  @Test func aRecordingThatStartsAgainIsAnotherOne() {
    var session = FaceSession(configuration: PipelineConfiguration())
    _ = session.advance([face(0.1, .fear)], imageSize: size, at: .seconds(60))
    // A little disorder is not a new start.
    #expect(
      session.advance([face(0.1, .fear)], imageSize: size, at: .milliseconds(59_500)).events.count
        == 1)
    let again = session.advance([face(0.1, .anger)], imageSize: size, at: .zero)
    #expect(
      again.events.prefix(2) == [
        .faceLost(FaceID(rawValue: 1)), .faceAppeared(FaceID(rawValue: 2)),
      ])
    #expect(again.readings.map(\.dominant) == [.anger])
    #expect(session.rememberedFaces == 1)
  }

  @Test func resetReportsEverybodyAsLost() {
    var session = FaceSession(configuration: PipelineConfiguration())
    _ = session.advance([face(0.1, .fear), face(0.6, .fear)], imageSize: size, at: .zero)
    #expect(
      session.reset() == [.faceLost(FaceID(rawValue: 1)), .faceLost(FaceID(rawValue: 2))])
    #expect(session.reset().isEmpty)
  }
}
