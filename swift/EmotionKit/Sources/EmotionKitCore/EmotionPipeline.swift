/// Turns a stream of frames into events, one frame at a time.
///
/// While a frame is analysed at most one more waits, always the newest: a slow network makes the
/// pipeline skip frames, never lag behind or hold on to the camera's buffers.
///
///     let pipeline = EmotionPipeline(detector: detector, classifier: classifier, cropMargin: 0.3)
///     for await event in pipeline.events() { … }       // any number of listeners
///     pipeline.submit(frame)                            // from any thread
public actor EmotionPipeline<Detector: FaceDetecting, Classifier: EmotionClassifying>
where Detector.Frame == Classifier.Frame {
  /// The pictures it takes.
  public typealias Frame = Detector.Frame

  private struct TimedFrame: Sendable {
    let frame: Frame
    let time: Duration
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
  private var interruption: InterruptionReason?
  private var isFailing = false
  private var own = PipelineStatistics()
  /// Counts resets; a frame that was being analysed during one must not be reported after it.
  private var generation = 0

  /// Creates a pipeline, which listens for frames at once.
  public init(
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
    gate = FrameGate(rate: configuration.thermal.rate(at: .nominal))
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
  public nonisolated func events() -> AsyncStream<EmotionEvent> {
    hub.stream()
  }

  /// Hands in a frame and returns at once.
  ///
  /// - Parameter time: when it was taken, on any clock that is the same for all frames; nil for
  ///   the pipeline's own.
  public nonisolated func submit(_ frame: Frame, at time: Duration? = nil) {
    let result = inbox.yield(TimedFrame(frame: frame, time: time ?? clock.now))
    if case .dropped = result {
      counter.add(replaced: true)
    } else {
      counter.add(replaced: false)
    }
  }

  /// Ends all event streams. The pipeline takes no more frames; an analysis under way is cancelled.
  public nonisolated func finish() {
    inbox.finish()
    hub.finish()
  }
}

extension EmotionPipeline {
  /// What became of the frames so far.
  public var statistics: PipelineStatistics {
    var all = own
    (all.submitted, all.replaced) = counter.counts
    return all
  }

  /// Slows down, pauses or speeds up analysis, and says so when the level is new.
  public func setThermalLevel(_ level: ThermalLevel) {
    guard level != thermalLevel else { return }
    thermalLevel = level
    gate.rate = configuration.thermal.rate(at: level)
    hub.send(.throttled(level))
  }

  /// Tells listeners that frames stopped, or with nil that they arrive again.
  public func setInterruption(_ reason: InterruptionReason?) {
    guard reason != interruption else { return }
    interruption = reason
    hub.send(reason.map(EmotionEvent.interrupted) ?? .resumed)
  }

  /// Forgets all faces, reporting each as lost, and drops the analysis under way.
  public func reset() {
    generation += 1
    isFailing = false
    gate = FrameGate(rate: configuration.thermal.rate(at: thermalLevel))
    for event in session.reset() { hub.send(event) }
  }

  private func handle(_ timed: TimedFrame) async {
    guard gate.admit(at: timed.time) else {
      own.skipped += 1
      return
    }
    let startedIn = generation
    let started = clock.now
    do {
      let analyzed = try await analyzer.analyze(timed.frame)
      guard generation == startedIn, !Task.isCancelled else { return }
      own.analyzed += 1
      own.lastLatency = clock.now - started
      isFailing = false
      let (_, events) = session.advance(
        analyzed, imageSize: timed.frame.orientedSize, at: timed.time)
      for event in events { hub.send(event) }
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
