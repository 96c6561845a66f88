import EmotionKitCore
import Testing

@Suite struct RecordingAnalyzerTests {
  private func analyzer<C: EmotionClassifying>(
    _ classifier: C, rate: Double
  ) -> RecordingAnalyzer<FakeDetector, C> where C.Frame == FakeFrame {
    RecordingAnalyzer(
      detector: FakeDetector(), classifier: classifier, cropMargin: 0.3,
      configuration: PipelineConfiguration(targetRate: rate))
  }

  @Test func framesOfARecordingAreThinnedNeverDroppedForBeingLate() async throws {
    let analyzer = analyzer(FixedClassifier(answer: .mostly(.happiness)), rate: 10)
    var moments: [RecordedMoment] = []
    for frame in 0..<60 {
      if let moment = try await analyzer.analyze(FakeFrame(), at: .seconds(frame) / 30) {
        moments.append(moment)
      }
    }
    #expect(moments.count == 20)
    #expect(moments.map(\.time) == (0..<20).map { .seconds($0 * 3) / 30 })
    #expect(moments.allSatisfy { $0.readings.map(\.faceID) == [FaceID(rawValue: 1)] })
    #expect(moments[0].events.count == 3 && moments[1].events.count == 1)
    #expect(moments.last?.readings.first?.dominant == .happiness)
  }

  @Test func aFailureIsThrownAndTheNextFrameIsTried() async throws {
    let analyzer = analyzer(FailingClassifier(failing: [1]), rate: 10)
    #expect(try await analyzer.analyze(FakeFrame(id: 0), at: .zero) != nil)
    await #expect(throws: EmotionKitError.self) {
      try await analyzer.analyze(FakeFrame(id: 1), at: .seconds(1))
    }
    #expect(try await analyzer.analyze(FakeFrame(id: 2), at: .seconds(2)) != nil)
  }
}
