/// Turns a stream of frames into events, one frame at a time.
///
/// While a frame is analysed at most one more waits, always the newest: a slow network makes the
/// pipeline skip frames, never lag behind or hold on to the camera's buffers.
///
///     let pipeline = EmotionPipeline(detector: detector, classifier: classifier, cropMargin: 0.3)
///     for await event in pipeline.events() { … }       // any number of listeners
///     pipeline.submit(frame)                            // from any thread
package actor EmotionPipeline<Detector: FaceDetecting, Classifier: EmotionClassifying>
where Detector.Frame == Classifier.Frame {
  /// The pictures it takes.
  package typealias Frame = Detector.Frame

  private struct TimedFrame: Sendable {
    let frame: Frame
    let time: Duration
    /// On the pipeline's own clock, whatever clock the frames are on.
    let submitted: Duration
  }

  /// What a new listener is told first, while it holds.
  private enum Topic: String {
    case interruption, heat, fallback
  }

  private let analyzer: FrameAnalyzer<Detector, Classifier>
  private let configuration: PipelineConfiguration
  private let clock: PipelineClock
  private let hub = EventHub<EmotionEvent>()
  private let inbox: AsyncStream<TimedFrame>.Continuation
  private let counter = SubmissionCounter()

  private var session: FaceSession
  private var gate: FrameGate
  private var thermalLevel = ThermalLevel.nominal
  private var sourceInterruption: InterruptionReason?
  private var isInBackground = false
  private var isFailing = false
  private var own = PipelineStatistics()
  private var latency = LatencyRecorder()
  /// Counts resets; a frame that was being analysed during one must not be reported after it.
  private var generation = 0

  /// Creates a pipeline, which listens for frames at once.
  package init(
    detector: Detector, classifier: Classifier, cropMargin: Double,
    configuration: PipelineConfiguration = PipelineConfiguration(),
    clock: PipelineClock = PipelineClock()
  ) {
    analyzer = FrameAnalyzer(
      detector: detector, classifier: classifier, cropMargin: cropMargin,
      configuration: configuration)
    self.configuration = configuration
    self.clock = clock
    session = FaceSession(configuration: configuration)
    gate = FrameGate(rate: configuration.rate(at: .nominal))
    let (frames, inbox) = AsyncStream.makeStream(
      of: TimedFrame.self, bufferingPolicy: .bufferingNewest(1))
    self.inbox = inbox
    let worker = Task { [weak self] in
      for await timed in frames {
        guard let self else { return }
        await self.handle(timed)
      }
    }
    inbox.onTermination = { _ in worker.cancel() }
  }

  deinit {
    inbox.finish()
    hub.finish()
  }
}

// Listening and feeding: safe from any thread, never waiting.
extension EmotionPipeline {
  /// All events from now on. Every call makes an independent stream.
  ///
  /// The stream begins with what holds at this moment: an interruption, heat, a fallback. The faces
  /// in view follow with the next analysed frame.
  ///
  /// - Parameter bufferSize: how many events wait for a listener that is busy. Beyond it the oldest
  ///   are lost, so a listener that must not miss a ``EmotionEvent/faceLost(_:)`` compares
  ///   ``EmotionEvent/frame(_:)``s, each of which is complete.
  package nonisolated func events(bufferingNewest bufferSize: Int = 256) -> AsyncStream<
    EmotionEvent
  > {
    hub.stream(bufferSize: bufferSize)
  }

  /// Hands in a frame and returns at once.
  ///
  /// - Parameter time: when it was taken, on any clock that is the same for all frames; nil for
  ///   the pipeline's own.
  package nonisolated func submit(_ frame: Frame, at time: Duration? = nil) {
    let now = clock.now
    let result = inbox.yield(TimedFrame(frame: frame, time: time ?? now, submitted: now))
    if case .dropped = result {
      counter.add(replaced: true)
    } else {
      counter.add(replaced: false)
    }
  }

  /// Ends all event streams. The pipeline takes no more frames; an analysis under way is cancelled.
  package nonisolated func finish() {
    inbox.finish()
    hub.finish()
  }
}

extension EmotionPipeline {
  /// What became of the frames so far.
  ///
  /// - Complexity: sorts the remembered latencies; not for every frame.
  package var statistics: PipelineStatistics {
    var all = own
    (all.submitted, all.replaced) = counter.counts
    all.latency = latency.summaries
    return all
  }

  /// Slows down, pauses or speeds up analysis, and says so when the level is new.
  package func setThermalLevel(_ level: ThermalLevel) {
    guard level != thermalLevel else { return }
    thermalLevel = level
    gate.rate = configuration.rate(at: level)
    hub.send(.throttled(level), on: Topic.heat.rawValue, holds: level != .nominal)
  }

  /// Tells listeners that the source of frames stopped, or with nil that it delivers again.
  package func setInterruption(_ reason: InterruptionReason?) {
    changeInterruption { sourceInterruption = reason }
  }

  /// Forgets an interruption of a source that was stopped, without a word: no frames arrive now, so
  /// nothing resumed.
  package func endInterruption() {
    sourceInterruption = nil
    if !isInBackground { hub.forget(topic: Topic.interruption.rawValue) }
  }

  /// Tells listeners what went wrong outside the analysis.
  package func report(_ error: EmotionKitError) {
    hub.send(.failed(error))
  }

  /// Tells that the app left or came back to the foreground. In the background frames are dropped,
  /// because iOS does not let an app use the GPU there.
  package func setInBackground(_ inBackground: Bool) {
    changeInterruption { isInBackground = inBackground }
  }

  /// Tells listeners, once, that the network was moved to the processor.
  package func reportFallback(reason: String) {
    hub.send(.fellBack(reason: reason), on: Topic.fallback.rawValue, holds: true)
  }

  /// Forgets all faces, reporting each as lost, and drops the analysis under way.
  package func reset() {
    generation += 1
    isFailing = false
    gate = FrameGate(rate: configuration.rate(at: thermalLevel))
    for event in session.reset() { hub.send(event) }
  }

  private var interruption: InterruptionReason? {
    isInBackground ? .background : sourceInterruption
  }

  private func changeInterruption(_ change: () -> Void) {
    let before = interruption
    change()
    guard interruption != before else { return }
    hub.send(
      interruption.map(EmotionEvent.interrupted) ?? .resumed, on: Topic.interruption.rawValue,
      holds: interruption != nil)
  }
}

extension EmotionPipeline {
  private func handle(_ timed: TimedFrame) async {
    guard !isInBackground, gate.admit(at: timed.time) else {
      own.skipped += 1
      return
    }
    let startedIn = generation
    let started = clock.now
    do {
      let faces = try await analyzer.detect(in: timed.frame)
      let detected = clock.now
      let analyzed = try await analyzer.classify(faces, in: timed.frame)
      guard generation == startedIn, !Task.isCancelled else { return }
      isFailing = false
      let classified = clock.now
      let (_, events) = session.advance(
        analyzed, imageSize: timed.frame.orientedSize, at: timed.time)
      for event in events { hub.send(event) }
      let finished = clock.now
      own.analyzed += 1
      own.lastLatency = finished - started
      latency.record(started - timed.submitted, for: .waiting)
      latency.record(detected - started, for: .detection)
      latency.record(classified - detected, for: .classification)
      latency.record(finished - timed.submitted, for: .total)
    } catch let error as EmotionKitError {
      guard generation == startedIn else { return }
      own.failed += 1
      if !isFailing { hub.send(.failed(error)) }
      isFailing = true
    } catch {
      // Only CancellationError is left: the pipeline was finished and nobody listens.
    }
  }
}
