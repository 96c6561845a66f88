import Testing

@testable import EmotionKitUI

@Suite struct LiveStateTests {
  private func reading(_ emotion: Emotion?) throws -> EmotionReading {
    let weights = Emotion.known.map { $0 == .surprise ? 0.72 : 0.04 }
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
    let error = EmotionKitError.inferenceFailed(reason: "too hot")
    state.apply(.failed(error))
    #expect(
      state.phase
        == .failed(
          message: "The model could not be run: too hot.", advice: error.recoverySuggestion))
    state.apply(.frame([]))
    #expect(state.phase == .running)
    state.apply(.fellBack(reason: "no engine"))
    #expect(state.fallbackReason == "no engine")
  }

  @Test func everyReasonForSilenceIsSaid() throws {
    var state = LiveState()
    state.phase = .running
    #expect(state.notice == nil)
    var notices: Set<String> = []
    for reason in InterruptionReason.allCases {
      state.apply(.interrupted(reason))
      notices.insert(try #require(state.notice))
    }
    state.apply(.resumed)
    state.apply(.throttled(.fair))
    #expect(state.notice == nil)
    state.apply(.throttled(.serious))
    notices.insert(try #require(state.notice))
    state.apply(.frame([try reading(.surprise)]))
    state.apply(.throttled(.critical))
    notices.insert(try #require(state.notice))
    #expect(notices.count == InterruptionReason.allCases.count + 2)
    // Nobody is analysed any more, so nobody is shown.
    #expect(state.readings.isEmpty)
    state.fail(EmotionKitError.cameraUnauthorized)
    #expect(state.phase == .unauthorized && state.notice == nil)
    state.fail(CancellationError())
    #expect(state.phase == .idle)
  }

  @Test func captionsSayHowSureOrThatItIsNot() throws {
    #expect(LiveState.caption(for: try reading(.surprise)) == "surprise 72 %")
    #expect(LiveState.caption(for: try reading(nil)) == "uncertain")
    #expect(LiveState.spoken(for: try reading(.surprise)) == "Face 1: surprise, 72 percent")
    #expect(LiveState.spoken(for: try reading(nil)) == "Face 1: uncertain")
    #expect(
      LiveState.spoken(for: try reading(nil).probabilities)
        == "surprise, 72 percent; anger, 4 percent; disgust, 4 percent")
  }
}

@Suite(.timeLimit(.minutes(1))) @MainActor struct LiveFollowTests {
  /// A source that a test ends, and that counts what is done to it.
  private actor ManualSource: EmotionSource {
    private(set) var starts = 0
    private(set) var stops = 0
    private var continuation: AsyncStream<EmotionEvent>.Continuation?

    func start() async throws -> AsyncStream<EmotionEvent> {
      starts += 1
      let (stream, continuation) = AsyncStream.makeStream(of: EmotionEvent.self)
      self.continuation = continuation
      return stream
    }

    func stop() { stops += 1 }

    func send(_ event: EmotionEvent) { continuation?.yield(event) }

    func finish() { continuation?.finish() }
  }

  @Test func statesFollowTheSourceToItsEnd() async {
    let source = ManualSource()
    var phases: [LiveState.Phase] = []
    var heard: [EmotionEvent] = []
    var started = 0
    let running = Task {
      await LiveState.follow(
        source, onEvent: { heard.append($0) }, onStart: { started += 1 },
        update: { phases.append($0.phase) })
    }
    while !Task.isCancelled, await source.starts == 0 { await Task.yield() }
    await source.send(.interrupted(.background))
    await source.send(.resumed)
    await source.finish()
    await running.value
    #expect(phases == [.loading, .running, .interrupted(.background), .running, .idle])
    #expect(heard == [.interrupted(.background), .resumed])
    #expect(started == 1)
    #expect(await source.stops == 1)
  }

  @Test func leavingTheScreenStopsTheSource() async {
    let source = ManualSource()
    var last = LiveState.Phase.idle
    let running = Task {
      await LiveState.follow(source, onEvent: { _ in }, update: { last = $0.phase })
    }
    while !Task.isCancelled, last != .running { await Task.yield() }
    running.cancel()
    await running.value
    #expect(last == .idle)
    #expect(await source.stops == 1)
  }

  @Test func aFailureIsShownNotThrown() async {
    var phases: [LiveState.Phase] = []
    await LiveState.follow(
      ScriptedEmotionSource(failure: .cameraUnauthorized), onEvent: { _ in },
      update: { phases.append($0.phase) })
    #expect(phases == [.loading, .unauthorized])
  }
}
