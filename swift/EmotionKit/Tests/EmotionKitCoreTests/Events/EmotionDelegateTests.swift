import EmotionKitCore
import Testing

@Suite(.timeLimit(.minutes(1))) @MainActor struct EmotionDelegateTests {
  private final class Listener: EmotionDelegate {
    var heard: [String] = []
    var onHear: (() -> Void)?

    private func hear(_ text: String) {
      MainActor.assertIsolated()
      heard.append(text)
      onHear?()
    }

    func emotionFaceDidAppear(_ face: FaceID) { hear("appeared \(face)") }
    func emotionDidChange(from old: Emotion?, to new: Emotion?, reading: EmotionReading) {
      hear("changed \(old?.rawValue ?? "-") \(new?.rawValue ?? "-") of \(reading.faceID)")
    }
    func emotionDidRead(_ readings: [EmotionReading]) { hear("read \(readings.count)") }
    func emotionFaceWasLost(_ face: FaceID) { hear("lost \(face)") }
    func emotionSession(_ event: EmotionEvent) { hear("session \(event)") }
  }

  /// Needs nothing: every method has a default.
  private final class Indifferent: EmotionDelegate {}

  private let face = FaceID(rawValue: 7)

  private func reading() -> EmotionReading {
    EmotionReading(
      faceID: face, dominant: .fear, probabilities: .mostly(.fear), raw: .mostly(.fear),
      boundingBox: .full, imageSize: PixelSize(width: 1, height: 1), detectionConfidence: 1,
      timestamp: .zero)
  }

  private func send(everythingTo hub: EventHub<EmotionEvent>) {
    let reading = reading()
    hub.send(.faceAppeared(face))
    hub.send(.changed(face, from: nil, to: .fear, reading: reading))
    hub.send(.frame([reading]))
    hub.send(.interrupted(.background))
    hub.send(.resumed)
    hub.send(.throttled(.serious))
    hub.send(.fellBack(reason: "no engine"))
    hub.send(.failed(.inferenceFailed(reason: "r")))
    hub.send(.faceLost(face))
  }

  @Test func everyEventHasItsCallInOrder() async {
    let hub = EventHub<EmotionEvent>()
    let listener = Listener()
    let (calls, continuation) = AsyncStream.makeStream(of: Void.self)
    listener.onHear = { continuation.yield() }
    let delegation = EmotionDelegation(of: hub.stream(), to: listener)
    let indifferent = Indifferent()
    let other = EmotionDelegation(of: hub.stream(), to: indifferent)
    send(everythingTo: hub)
    var iterator = calls.makeAsyncIterator()
    for _ in 0..<9 { _ = await iterator.next() }
    #expect(
      listener.heard == [
        "appeared face 7", "changed - fear of face 7", "read 1",
        "session \(EmotionEvent.interrupted(.background))", "session \(EmotionEvent.resumed)",
        "session \(EmotionEvent.throttled(.serious))",
        "session \(EmotionEvent.fellBack(reason: "no engine"))",
        "session \(EmotionEvent.failed(.inferenceFailed(reason: "r")))", "lost face 7",
      ])
    withExtendedLifetime((delegation, other, indifferent)) {}
  }

  @Test func theDelegateIsNotRetainedAndCallsStopWithTheDelegation() async {
    let hub = EventHub<EmotionEvent>()
    var listener: Listener? = Listener()
    let weakListener = Weak(value: listener)
    var delegation: EmotionDelegation? = listener.map {
      EmotionDelegation(of: hub.stream(), to: $0)
    }
    #expect(delegation != nil && hub.subscriberCount == 1)
    listener = nil
    #expect(weakListener.value == nil)
    delegation = nil
    while !Task.isCancelled, hub.subscriberCount > 0 { await Task.yield() }
  }
}

/// A constant of this holds weakly; `weak let` itself is younger than the declared tools version.
private struct Weak<Object: AnyObject> {
  weak var value: Object?
}
