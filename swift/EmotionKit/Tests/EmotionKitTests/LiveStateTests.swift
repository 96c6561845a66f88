import EmotionKitUI
import Testing

@Suite struct LiveStateTests {
  private func reading(_ emotion: Emotion?) throws -> EmotionReading {
    let weights = Emotion.allCases.map { $0 == .surprise ? 0.72 : 0.04 }
    let distribution = try EmotionDistribution(weights: weights)
    return EmotionReading(
      faceID: FaceID(rawValue: 1), dominant: emotion, probabilities: distribution,
      raw: distribution, boundingBox: .full, imageSize: PixelSize(width: 4, height: 3),
      detectionConfidence: 1, timestamp: .zero)
  }

  @Test func showsTheLastFrameUntilTheFaceIsLost() throws {
    var state = LiveState()
    state.apply(.frame([try reading(.surprise)]))
    #expect(state.readings.count == 1)
    state.apply(.faceLost(FaceID(rawValue: 1)))
    #expect(state.readings.isEmpty)
  }

  @Test func interruptionsAndFailuresAreShownAndRecoveredFrom() throws {
    var state = LiveState()
    state.apply(.frame([try reading(.surprise)]))
    state.apply(.interrupted(.background))
    #expect(state.phase == .interrupted(.background) && state.readings.isEmpty)
    state.apply(.resumed)
    #expect(state.phase == .running)
    state.apply(.failed(.inferenceFailed(reason: "too hot")))
    #expect(state.phase == .failed("The model could not be run: too hot."))
    state.apply(.frame([]))
    #expect(state.phase == .running)
    state.apply(.throttled(.serious))
    #expect(state.thermalLevel == .serious)
  }

  @Test func captionsSayHowSureOrThatItIsNot() throws {
    #expect(LiveState.caption(for: try reading(.surprise)) == "surprise 72 %")
    #expect(LiveState.caption(for: try reading(nil)) == "uncertain")
  }
}
