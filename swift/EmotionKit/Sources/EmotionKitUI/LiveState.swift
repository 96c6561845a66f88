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
    /// It cannot work; the text is for people.
    case failed(String)
  }

  /// What is going on.
  public var phase = Phase.idle
  /// The faces of the last analysed frame.
  public var readings: [EmotionReading] = []
  /// The device's temperature as far as it was reported.
  public var thermalLevel = ThermalLevel.nominal

  /// Creates an idle state.
  public init() {}

  /// Takes one event.
  public mutating func apply(_ event: EmotionEvent) {
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
    case .failed(let error):
      phase = .failed(error.localizedDescription)
      readings = []
    case .faceAppeared, .changed:
      break
    }
  }

  /// The text beside a face: the steady answer with its probability, or that there is none.
  public static func caption(for reading: EmotionReading) -> String {
    guard let emotion = reading.dominant else { return "uncertain" }
    let percent = Int((reading.probabilities[emotion] * 100).rounded())
    return "\(emotion.rawValue) \(percent) %"
  }
}
