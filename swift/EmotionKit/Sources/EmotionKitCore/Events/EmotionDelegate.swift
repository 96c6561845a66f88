/// Hears about emotions on the main actor, for code that prefers callbacks to streams.
///
/// Every method has an empty default; implement what you need.
@MainActor
public protocol EmotionDelegate: AnyObject {
  /// A face came into view.
  func emotionFaceDidAppear(_ face: FaceID)
  /// The steady answer for a face changed; nil is uncertain.
  func emotionDidChange(from old: Emotion?, to new: Emotion?, reading: EmotionReading)
  /// A frame was analysed; empty when nobody is in view.
  func emotionDidRead(_ readings: [EmotionReading])
  /// A face is gone.
  func emotionFaceWasLost(_ face: FaceID)
  /// Anything else: interruptions, heat, a fallback, failures.
  func emotionSession(_ event: EmotionEvent)
}

extension EmotionDelegate {
  /// Does nothing.
  public func emotionFaceDidAppear(_ face: FaceID) {}
  /// Does nothing.
  public func emotionDidChange(from old: Emotion?, to new: Emotion?, reading: EmotionReading) {}
  /// Does nothing.
  public func emotionDidRead(_ readings: [EmotionReading]) {}
  /// Does nothing.
  public func emotionFaceWasLost(_ face: FaceID) {}
  /// Does nothing.
  public func emotionSession(_ event: EmotionEvent) {}
}

/// Calls an ``EmotionDelegate`` for every event of a stream.
///
///     delegation = EmotionDelegation(of: monitor.events(), to: self)
///
/// The delegate is not retained. Calls stop when it, or this object, is released, or the stream
/// ends.
public final class EmotionDelegation: Sendable {
  private let task: Task<Void, Never>

  /// Starts calling.
  @MainActor
  public init(of events: AsyncStream<EmotionEvent>, to delegate: any EmotionDelegate) {
    task = Task { @MainActor [weak delegate] in
      for await event in events {
        guard let delegate else { return }
        switch event {
        case .faceAppeared(let face): delegate.emotionFaceDidAppear(face)
        case .changed(_, let old, let new, let reading):
          delegate.emotionDidChange(from: old, to: new, reading: reading)
        case .frame(let readings): delegate.emotionDidRead(readings)
        case .faceLost(let face): delegate.emotionFaceWasLost(face)
        case .interrupted, .resumed, .throttled, .fellBack, .failed: delegate.emotionSession(event)
        }
      }
    }
  }

  deinit { task.cancel() }
}
