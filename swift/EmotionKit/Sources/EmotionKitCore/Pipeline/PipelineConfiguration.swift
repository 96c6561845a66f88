/// How faces are chosen, smoothed and decided about.
public struct PipelineConfiguration: Hashable, Sendable {
  /// At most this many faces are analysed in a frame, the largest first.
  public var maximumFaces: Int
  /// Faces whose box is lower than this share of the image's height are left out.
  public var minimumFaceHeight: Double
  /// Detections below this confidence are left out, `0...1`.
  public var minimumDetectionConfidence: Double
  /// Analyses a second while the device is cool. At ``ThermalLevel/critical`` analysis pauses.
  public var targetRate: Double
  /// Analyses a second at ``ThermalLevel/serious``; never above the target.
  public var seriousRate: Double
  /// Overlap at which two boxes are the same face.
  public var minimumOverlap: Double
  /// How long an unseen face is remembered.
  public var lostTimeout: Duration
  /// Time constant of the average; zero for none.
  public var smoothing: Duration
  /// Pause after which the average starts afresh.
  public var resetGap: Duration
  /// Probability at which an emotion becomes the answer.
  public var enter: Double
  /// Probability below which the answer is given up.
  public var leave: Double
  /// Shortest time between two changes of the answer.
  public var minimumDwell: Duration

  /// Creates a configuration; the defaults suit a live camera.
  public init(
    maximumFaces: Int = 4, minimumFaceHeight: Double = 0.08,
    minimumDetectionConfidence: Double = 0.5, targetRate: Double = 12, seriousRate: Double = 5,
    minimumOverlap: Double = 0.3, lostTimeout: Duration = .seconds(1),
    smoothing: Duration = .milliseconds(400), resetGap: Duration = .seconds(1),
    enter: Double = 0.55, leave: Double = 0.40, minimumDwell: Duration = .milliseconds(400)
  ) {
    self.maximumFaces = maximumFaces
    self.minimumFaceHeight = minimumFaceHeight
    self.minimumDetectionConfidence = minimumDetectionConfidence
    self.targetRate = targetRate
    self.seriousRate = seriousRate
    self.minimumOverlap = minimumOverlap
    self.lostTimeout = lostTimeout
    self.smoothing = smoothing
    self.resetGap = resetGap
    self.enter = enter
    self.leave = leave
    self.minimumDwell = minimumDwell
  }
}
