import EmotionKitCore
import Testing

@Suite struct FrameAnalyzerTests {
  private func detected(_ x: Double, side: Double, confidence: Double = 1) -> DetectedFace {
    DetectedFace(
      box: UnitRect(x: x, y: 0.1, width: side, height: side), confidence: confidence)
  }

  private func analyzer(
    _ configuration: PipelineConfiguration = PipelineConfiguration()
  ) -> FrameAnalyzer<FakeDetector, RegionEcho> {
    FrameAnalyzer(
      detector: FakeDetector(), classifier: RegionEcho(), cropMargin: 0.3,
      configuration: configuration)
  }

  @Test func theLargestFacesAreChosen() async throws {
    var frame = FakeFrame()
    frame.faces = [
      detected(0, side: 0.1), detected(0.1, side: 0.3), detected(0.5, side: 0.2),
      detected(0.7, side: 0.02), detected(0.8, side: 0.2, confidence: 0.1),
      DetectedFace(box: UnitRect(x: .nan, y: 0, width: 0.5, height: 0.5)),
    ]
    let two = try await analyzer(PipelineConfiguration(maximumFaces: 2)).analyze(frame)
    #expect(two.map(\.face.box.width) == [0.3, 0.2])
    let all = try await analyzer().analyze(frame)
    #expect(all.map(\.face.box.width) == [0.3, 0.2, 0.1])
    #expect(try await analyzer(PipelineConfiguration(maximumFaces: 0)).analyze(frame).isEmpty)
  }

  @Test func theClassifierSeesASquareOfPixels() async throws {
    let frame = FakeFrame()
    let result = try #require(try await analyzer().analyze(frame).first)
    // RegionEcho answers with the region's width and height as the first two probabilities.
    let ratio = result.distribution[.anger] / result.distribution[.disgust]
    #expect(abs(ratio - 480.0 / 640.0) < 1e-9)
  }

  @Test func foreignErrorsBecomeOurs() async throws {
    let analyzer = FrameAnalyzer(
      detector: FakeDetector(), classifier: FailingClassifier(failing: [0]), cropMargin: 0.3)
    await #expect(throws: EmotionKitError.self) { try await analyzer.analyze(FakeFrame()) }
  }

  @Test func stillReadingsAreNotSmoothed() async throws {
    let analyzer = FrameAnalyzer(
      detector: FakeDetector(), classifier: FixedClassifier(answer: .mostly(.fear, 0.3)),
      cropMargin: 0.3)
    let reading = try #require(try await analyzer.readings(in: FakeFrame()).first)
    #expect(reading.dominant == .fear)
    #expect(reading.probabilities == reading.raw)
    #expect(reading.imageSize == PixelSize(width: 640, height: 480))
  }

  @Test func cancellationIsNotAFailure() async throws {
    let classifier = HeldClassifier()
    let analyzer = FrameAnalyzer(
      detector: FakeDetector(), classifier: classifier, cropMargin: 0.3)
    var frame = FakeFrame()
    frame.faces = [detected(0, side: 0.3), detected(0.6, side: 0.3)]
    let task = Task { [frame] in try await analyzer.analyze(frame) }
    var started = classifier.started.makeAsyncIterator()
    #expect(await started.next() == 0)
    task.cancel()
    await classifier.release()
    await #expect(throws: CancellationError.self) { try await task.value }
  }
}

private struct RegionEcho: EmotionClassifying {
  func classify(_ region: UnitRect, in frame: FakeFrame) async throws -> EmotionDistribution {
    try EmotionDistribution(weights: [region.width, region.height, 0, 0, 0, 0, 0, 0])
  }
}
