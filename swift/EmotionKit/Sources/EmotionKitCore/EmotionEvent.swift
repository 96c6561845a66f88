/// Why no frames arrive.
public enum InterruptionReason: String, Hashable, Sendable {
  /// The app went to the background, where iOS forbids the camera.
  case background
  /// Another app or a call took the camera.
  case inUseByAnotherClient
  /// The system took the camera away because the device is too hot or the screen is shared.
  case systemPressure
  /// Any other reason.
  case other
}

/// Something that happened, in the order it happened.
public enum EmotionEvent: Hashable, Sendable {
  /// A face came into view.
  case faceAppeared(FaceID)
  /// The steady answer for a face changed; nil is uncertain.
  case changed(FaceID, from: Emotion?, to: Emotion?, reading: EmotionReading)
  /// Everything known about one analysed frame; empty when nobody is in view.
  case frame([EmotionReading])
  /// A face has been out of view for longer than the lost timeout.
  case faceLost(FaceID)
  /// Frames stopped arriving.
  case interrupted(InterruptionReason)
  /// Frames arrive again.
  case resumed
  /// The device's temperature changed the rate of analysis.
  case throttled(ThermalLevel)
  /// Frames cannot be analysed; sent once for each run of failures.
  case failed(EmotionKitError)
}
