/// Why no frames arrive.
public enum InterruptionReason: String, CaseIterable, Hashable, Sendable {
  /// The app went to the background, where iOS forbids the camera and the GPU.
  case background
  /// Another app or a call took the camera.
  case inUseByAnotherClient
  /// Several apps share the screen, and this iPad gives the camera to none of them.
  case multipleForegroundApps
  /// The system took the camera away because the device is too hot.
  case systemPressure
  /// Any other reason.
  case other
}

/// Something that happened, in the order it happened.
///
/// ``frame(_:)`` alone is enough to draw a picture: it holds everybody in view. The others save a
/// listener from comparing frames.
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
  /// The device's temperature changed the rate of analysis; it pauses at ``ThermalLevel/critical``.
  case throttled(ThermalLevel)
  /// The hardware the app asked for refused the network or failed its canary, and it runs on other
  /// hardware. Sent once.
  case fellBack(reason: String)
  /// Frames cannot be analysed; sent once for each run of failures.
  case failed(EmotionKitError)
}
