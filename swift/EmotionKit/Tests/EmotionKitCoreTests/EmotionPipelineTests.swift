import EmotionKitCore
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
    while await pipeline.statistics.skipped == 0 { await Task.yield() }
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
      while await pipeline.statistics.analyzed + pipeline.statistics.failed <= id {
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
    while await pipeline.statistics.skipped == 0 { await Task.yield() }
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
}
