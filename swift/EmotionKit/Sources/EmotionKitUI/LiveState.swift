import EmotionKit

/// What a live view shows, as a function of the events so far.
public struct LiveState: Hashable, Sendable {
  /// What is going on.
  public enum Phase: Hashable, Sendable {
    /// Not started, or stopped.
    case idle
    /// The model is loading or the camera is starting.
    case loading
    /// Frames are analysed.
    case running
    /// The system took the camera away for now.
    case interrupted(InterruptionReason)
    /// The person has not allowed the camera.
    case unauthorized
    /// It cannot work; both texts are for people.
    case failed(message: String, advice: String?)
  }

  /// What is going on.
  public package(set) var phase = Phase.idle
  /// The faces of the last analysed frame, largest first.
  public package(set) var readings: [EmotionReading] = []
  /// The device's temperature as far as it was reported.
  public package(set) var thermalLevel = ThermalLevel.nominal
  /// Why the network runs on the processor instead of the hardware that was asked for.
  public package(set) var fallbackReason: String?

  /// Creates an idle state.
  package init() {}

  /// Takes one event.
  package mutating func apply(_ event: EmotionEvent) {
    switch event {
    case .frame(let readings):
      self.readings = readings
      if case .failed = phase { phase = .running }
    case .faceLost(let id):
      readings.removeAll { $0.faceID == id }
    case .interrupted(let reason):
      phase = .interrupted(reason)
      readings = []
    case .resumed:
      phase = .running
    case .throttled(let level):
      thermalLevel = level
      // Analysis pauses: what was seen last is no longer what is there.
      if level == .critical { readings = [] }
    case .fellBack(let reason):
      fallbackReason = reason
    case .failed(let error):
      fail(error)
    case .faceAppeared, .changed:
      break
    }
  }

  /// Shows an error.
  package mutating func fail(_ error: any Error) {
    readings = []
    switch error {
    case EmotionKitError.cameraUnauthorized: phase = .unauthorized
    case is CancellationError: phase = .idle
    case let error as EmotionKitError:
      phase = .failed(message: error.localizedDescription, advice: error.recoverySuggestion)
    default: phase = .failed(message: error.localizedDescription, advice: nil)
    }
  }

  /// One line about why less is happening than usual; nil when nothing needs saying.
  public var notice: String? {
    switch phase {
    case .interrupted(.background): return Phrase.inBackground.text
    case .interrupted(.inUseByAnotherClient): return Phrase.usedElsewhere.text
    case .interrupted(.multipleForegroundApps): return Phrase.sharedScreen.text
    case .interrupted(.systemPressure): return Phrase.cameraTooHot.text
    case .interrupted(.other): return Phrase.cameraPaused.text
    case .idle, .loading, .unauthorized, .failed: return nil
    case .running: break
    }
    switch thermalLevel {
    case .nominal, .fair: return nil
    case .serious: return Phrase.warm.text
    case .critical: return Phrase.tooHot.text
    }
  }
}

extension LiveState {
  /// Runs a source until it ends or the surrounding task is cancelled, and hands on every state.
  ///
  /// - Parameters:
  ///   - onEvent: called with every event, before it is shown.
  ///   - onStart: called when the source runs.
  ///   - update: called with every new state, the last of which is idle or a failure.
  @MainActor
  static func follow(
    _ source: any EmotionSource, onEvent: @MainActor (EmotionEvent) -> Void,
    onStart: @MainActor () async -> Void = {}, update: @MainActor (LiveState) -> Void
  ) async {
    var state = LiveState()
    state.phase = .loading
    update(state)
    do {
      let events = try await source.start()
      await onStart()
      state.phase = .running
      update(state)
      for await event in events {
        onEvent(event)
        state.apply(event)
        update(state)
      }
      state = LiveState()
    } catch {
      state.fail(error)
    }
    await source.stop()
    update(state)
  }
}

extension LiveState {
  /// The text beside a face: the steady answer with its probability, or that there is none.
  package static func caption(for reading: EmotionReading) -> String {
    guard let emotion = reading.dominant else { return Phrase.uncertain.text }
    return Phrase.caption.text([
      "expression": Phrase.name(of: emotion),
      "percent": "\(percent(reading.probabilities[emotion]))",
    ])
  }

  /// What VoiceOver says for a face.
  package static func spoken(for reading: EmotionReading) -> String {
    let answer =
      reading.dominant.map { spoken($0, reading.probabilities[$0]) } ?? Phrase.uncertain.text
    return Phrase.spokenFace.text(["number": "\(reading.faceID.rawValue)", "answer": answer])
  }

  /// What VoiceOver says for the bars: the three most probable, so that it ends before it is stale.
  package static func spoken(for distribution: EmotionDistribution) -> String {
    distribution.ranked.prefix(3)
      .map { spoken($0.emotion, $0.probability) }
      .joined(separator: "; ")
  }

  private static func spoken(_ emotion: Emotion, _ probability: Double) -> String {
    Phrase.spokenExpression.text([
      "expression": Phrase.name(of: emotion), "percent": "\(percent(probability))",
    ])
  }

  static func percent(_ probability: Double) -> Int { Int((probability * 100).rounded()) }
}
