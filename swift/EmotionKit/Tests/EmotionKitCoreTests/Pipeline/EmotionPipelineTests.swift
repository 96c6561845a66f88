@_spi(Diagnostics) import EmotionKitCore
import Testing

@Suite(.timeLimit(.minutes(1))) struct EmotionPipelineTests {
  private let clock = ManualClock()

  private func pipeline<C: EmotionClassifying>(
    _ classifier: C
  ) -> EmotionPipeline<FakeDetector, C> where C.Frame == FakeFrame {
    EmotionPipeline(
      detector: FakeDetector(), classifier: classifier, cropMargin: 0.3,
      clock: PipelineClock(clock))
  }

  @Test func framesBecomeEvents() async throws {
    let pipeline = pipeline(FixedClassifier(answer: .mostly(.happiness)))
    var events = pipeline.events().makeAsyncIterator()
    pipeline.submit(FakeFrame())
    let first = await events.throughNextFrame()
    #expect(first.count == 3)
    #expect(first.first == .faceAppeared(FaceID(rawValue: 1)))
    clock.advance(by: .milliseconds(100))
    pipeline.submit(FakeFrame())
    let second = await events.throughNextFrame()
    guard case .frame(let readings)? = second.first, second.count == 1 else {
      Issue.record("\(second)")
      return
    }
    #expect(readings.first?.timestamp == .milliseconds(100))
    #expect(readings.first?.dominant == .happiness)
    #expect(await pipeline.statistics.analyzed == 2)
  }

  @Test func everyListenerHearsEverything() async {
    let pipeline = pipeline(FixedClassifier(answer: .mostly(.happiness)))
    var iterators = (0..<3).map { _ in pipeline.events().makeAsyncIterator() }
    pipeline.submit(FakeFrame())
    var heard: [[EmotionEvent]] = []
    for index in iterators.indices {
      var iterator = iterators[index]
      heard.append(await iterator.throughNextFrame())
      iterators[index] = iterator
    }
    #expect(heard[0].count == 3 && heard[0] == heard[1] && heard[1] == heard[2])
  }

  @Test func theNewestFrameWinsWhileTheNetworkIsBusy() async {
    let classifier = HeldClassifier()
    let pipeline = pipeline(classifier)
    var started = classifier.started.makeAsyncIterator()
    var events = pipeline.events().makeAsyncIterator()
    pipeline.submit(FakeFrame(id: 0), at: .zero)
    #expect(await started.next() == 0)
    for id in 1..<100 { pipeline.submit(FakeFrame(id: id), at: .seconds(id)) }
    await classifier.release()
    #expect(await started.next() == 99)
    _ = await events.throughNextFrame()
    _ = await events.throughNextFrame()
    let statistics = await pipeline.statistics
    #expect(statistics.submitted == 100 && statistics.replaced == 98)
    #expect(statistics.analyzed == 2 && statistics.skipped == 0)
  }

  @Test func framesBeyondTheRateAreSkipped() async {
    let pipeline = pipeline(FixedClassifier(answer: .uniform))
    var events = pipeline.events().makeAsyncIterator()
    pipeline.submit(FakeFrame(), at: .zero)
    _ = await events.throughNextFrame()
    pipeline.submit(FakeFrame(), at: .milliseconds(10))
    while !Task.isCancelled, await pipeline.statistics.skipped == 0 { await Task.yield() }
    pipeline.submit(FakeFrame(), at: .milliseconds(90))
    _ = await events.throughNextFrame()
    #expect(await pipeline.statistics.analyzed == 2)
  }

  @Test func finishingCancelsTheWorkAndEndsTheStreams() async {
    let classifier = HeldClassifier()
    let pipeline = pipeline(classifier)
    var started = classifier.started.makeAsyncIterator()
    var cancelled = classifier.wasCancelled.makeAsyncIterator()
    let events = pipeline.events()
    pipeline.submit(FakeFrame())
    #expect(await started.next() == 0)
    pipeline.finish()
    await classifier.release()
    #expect(await cancelled.next() == true)
    var heard: [EmotionEvent] = []
    for await event in events { heard.append(event) }
    #expect(heard.isEmpty)
    var late = pipeline.events().makeAsyncIterator()
    #expect(await late.next() == nil)
    #expect(await pipeline.statistics.analyzed == 0)
  }

  @Test func releasingThePipelineEndsTheStreams() async {
    var pipeline: EmotionPipeline? = pipeline(FixedClassifier(answer: .uniform))
    var events = pipeline?.events().makeAsyncIterator()
    #expect(events != nil)
    pipeline = nil
    #expect(await events?.next() == nil)
  }

  @Test func aFrameFromBeforeAResetIsNotReported() async {
    let classifier = HeldClassifier()
    let pipeline = pipeline(classifier)
    var started = classifier.started.makeAsyncIterator()
    var events = pipeline.events().makeAsyncIterator()
    pipeline.submit(FakeFrame(id: 1), at: .zero)
    #expect(await started.next() == 1)
    await pipeline.reset()
    await classifier.release()
    pipeline.submit(FakeFrame(id: 2), at: .seconds(1))
    let heard = await events.throughNextFrame()
    #expect(heard.first == .faceAppeared(FaceID(rawValue: 1)))
    #expect(await pipeline.statistics.analyzed == 1)
    await pipeline.reset()
    #expect(await events.next() == .faceLost(FaceID(rawValue: 1)))
  }

  @Test func aRunOfFailuresIsReportedOnce() async {
    let pipeline = pipeline(FailingClassifier(failing: [1, 2, 4]))
    var events = pipeline.events().makeAsyncIterator()
    var heard: [EmotionEvent] = []
    for id in 0..<6 {
      pipeline.submit(FakeFrame(id: id), at: .seconds(id))
      // Wait for each, so that none replaces another.
      while !Task.isCancelled,
        await pipeline.statistics.analyzed + pipeline.statistics.failed <= id
      {
        await Task.yield()
      }
    }
    for _ in 0..<3 { heard += await events.throughNextFrame() }
    let failures = heard.filter { if case .failed = $0 { true } else { false } }
    #expect(failures.count == 2)
    #expect(await pipeline.statistics.failed == 3)
  }

  @Test func heatThrottlesPausesAndIsReportedOnChange() async {
    let pipeline = pipeline(FixedClassifier(answer: .uniform))
    var events = pipeline.events().makeAsyncIterator()
    await pipeline.setThermalLevel(.nominal)
    await pipeline.setThermalLevel(.critical)
    await pipeline.setThermalLevel(.critical)
    #expect(await events.next() == .throttled(.critical))
    pipeline.submit(FakeFrame(), at: .zero)
    while !Task.isCancelled, await pipeline.statistics.skipped == 0 { await Task.yield() }
    await pipeline.setThermalLevel(.fair)
    #expect(await events.next() == .throttled(.fair))
    pipeline.submit(FakeFrame(), at: .seconds(1))
    #expect(await events.throughNextFrame().count == 2)
  }

  @Test func interruptionsAreReportedOnChange() async {
    let pipeline = pipeline(FixedClassifier(answer: .uniform))
    var events = pipeline.events().makeAsyncIterator()
    await pipeline.setInterruption(nil)
    await pipeline.setInterruption(.background)
    await pipeline.setInterruption(.background)
    await pipeline.setInterruption(nil)
    #expect(await events.next() == .interrupted(.background))
    #expect(await events.next() == .resumed)
  }

  @Test func whoComesLateIsToldWhatHolds() async {
    let pipeline = pipeline(FixedClassifier(answer: .uniform))
    await pipeline.setThermalLevel(.serious)
    await pipeline.setInterruption(.inUseByAnotherClient)
    await pipeline.reportFallback(reason: "no engine")
    var late = pipeline.events().makeAsyncIterator()
    #expect(await late.next() == .throttled(.serious))
    #expect(await late.next() == .interrupted(.inUseByAnotherClient))
    #expect(await late.next() == .fellBack(reason: "no engine"))
    await pipeline.setThermalLevel(.nominal)
    await pipeline.setInterruption(nil)
    var later = pipeline.events().makeAsyncIterator()
    #expect(await later.next() == .fellBack(reason: "no engine"))
    pipeline.submit(FakeFrame())
    #expect(await later.throughNextFrame().count == 2)
  }

  @Test func framesInTheBackgroundAreDropped() async {
    let pipeline = pipeline(FixedClassifier(answer: .uniform))
    var events = pipeline.events().makeAsyncIterator()
    await pipeline.setInterruption(.inUseByAnotherClient)
    #expect(await events.next() == .interrupted(.inUseByAnotherClient))
    await pipeline.setInBackground(true)
    #expect(await events.next() == .interrupted(.background))
    pipeline.submit(FakeFrame(), at: .zero)
    while !Task.isCancelled, await pipeline.statistics.skipped == 0 { await Task.yield() }
    // Back in front, the call still has the camera.
    await pipeline.setInBackground(false)
    #expect(await events.next() == .interrupted(.inUseByAnotherClient))
    await pipeline.setInterruption(nil)
    #expect(await events.next() == .resumed)
    pipeline.submit(FakeFrame(), at: .zero)
    #expect(await events.throughNextFrame().count == 2)
    #expect(await pipeline.statistics.dropped == 1)
  }

  @Test func theStagesOfAFrameAreTimedOnThePipelinesClock() async throws {
    let clock = clock
    let pipeline = EmotionPipeline(
      detector: TimedDetector(takes: .milliseconds(7), clock: clock),
      classifier: TimedClassifier(takes: .milliseconds(5), clock: clock), cropMargin: 0.3,
      clock: PipelineClock(clock))
    var events = pipeline.events().makeAsyncIterator()
    var frame = FakeFrame()
    frame.faces = [0.1, 0.6].map {
      DetectedFace(box: UnitRect(x: $0, y: 0.4, width: 0.2, height: 0.25))
    }
    for second in 0..<3 {
      // The frames' own clock has nothing to do with it.
      pipeline.submit(frame, at: .seconds(1000 + second))
      _ = await events.throughNextFrame()
    }
    let latency = await pipeline.statistics.latency
    #expect(latency[.waiting]?.maximum == .zero)
    #expect(latency[.detection]?.p50 == .milliseconds(7))
    #expect(latency[.classification]?.p99 == .milliseconds(10))
    #expect(latency[.total]?.p90 == .milliseconds(17))
    #expect(latency[.total]?.samples == 3)
  }

  @Test func waitingForTheNetworkIsTimedToo() async throws {
    let classifier = HeldClassifier()
    let pipeline = pipeline(classifier)
    var started = classifier.started.makeAsyncIterator()
    var events = pipeline.events().makeAsyncIterator()
    pipeline.submit(FakeFrame(id: 0), at: .zero)
    #expect(await started.next() == 0)
    pipeline.submit(FakeFrame(id: 1), at: .seconds(1))
    clock.advance(by: .milliseconds(300))
    await classifier.release()
    _ = await events.throughNextFrame()
    _ = await events.throughNextFrame()
    let latency = await pipeline.statistics.latency
    #expect(latency[.waiting]?.maximum == .milliseconds(300))
    #expect(latency[.classification]?.maximum == .milliseconds(300))
  }

  @Test func aPipelineGoesOnAfterAReset() async {
    let pipeline = pipeline(FixedClassifier(answer: .mostly(.happiness)))
    var events = pipeline.events().makeAsyncIterator()
    for round in 1...3 {
      // Each round starts its clock again, as a camera does.
      pipeline.submit(FakeFrame(), at: .zero)
      let heard = await events.throughNextFrame()
      #expect(heard.first == .faceAppeared(FaceID(rawValue: UInt64(round))))
      #expect(heard.count == 3)
      await pipeline.reset()
      #expect(await events.next() == .faceLost(FaceID(rawValue: UInt64(round))))
    }
    #expect(await pipeline.statistics.skipped == 0)
  }

  @Test func aSlowListenerHoldsUpNobody() async {
    let pipeline = pipeline(FixedClassifier(answer: .mostly(.happiness)))
    let slow = pipeline.events(bufferingNewest: 1)
    var quick = pipeline.events().makeAsyncIterator()
    for second in 0..<20 {
      pipeline.submit(FakeFrame(id: second), at: .seconds(second))
      _ = await quick.throughNextFrame()
    }
    pipeline.finish()
    var heard: [EmotionEvent] = []
    for await event in slow { heard.append(event) }
    #expect(heard.count == 1)
    guard case .frame(let readings)? = heard.first else {
      Issue.record("\(heard)")
      return
    }
    #expect(readings.first?.timestamp == .seconds(19))
  }
}

private struct TimedDetector: FaceDetecting {
  let takes: Duration
  let clock: ManualClock

  func faces(in frame: FakeFrame) async throws -> [DetectedFace] {
    clock.advance(by: takes)
    return frame.faces
  }
}

private struct TimedClassifier: EmotionClassifying {
  let takes: Duration
  let clock: ManualClock

  func classify(_ region: UnitRect, in frame: FakeFrame) async throws -> EmotionDistribution {
    clock.advance(by: takes)
    return .mostly(.happiness)
  }
}
