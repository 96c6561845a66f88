/// What is known about one face at one moment.
public struct EmotionReading: Hashable, Sendable {
  /// Whose face.
  public var faceID: FaceID
  /// The steady answer; nil while uncertain.
  public var dominant: Emotion?
  /// Smoothed over time; equal to `raw` for a still image.
  public var probabilities: EmotionDistribution
  /// The network's output for this frame alone.
  public var raw: EmotionDistribution
  /// The face in the oriented image.
  public var boundingBox: UnitRect
  /// The size of the oriented image, for ``ViewProjection``.
  public var imageSize: PixelSize
  /// The face detector's confidence, `0...1`.
  public var detectionConfidence: Double
  /// How well the face was captured, `0...1`; nil when nobody measured it.
  public var captureQuality: Double?
  /// On the clock of the frames; zero for a still image.
  public var timestamp: Duration

  /// Creates a reading.
  public init(
    faceID: FaceID, dominant: Emotion?, probabilities: EmotionDistribution,
    raw: EmotionDistribution, boundingBox: UnitRect, imageSize: PixelSize,
    detectionConfidence: Double, captureQuality: Double? = nil, timestamp: Duration
  ) {
    self.faceID = faceID
    self.dominant = dominant
    self.probabilities = probabilities
    self.raw = raw
    self.boundingBox = boundingBox
    self.imageSize = imageSize
    self.detectionConfidence = detectionConfidence
    self.captureQuality = captureQuality
    self.timestamp = timestamp
  }
}
