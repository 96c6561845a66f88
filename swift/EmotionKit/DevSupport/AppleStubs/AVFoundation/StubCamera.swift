import Foundation

/// A camera that tests drive by hand, one test at a time.
@available(visionOS, unavailable)
public enum StubCamera {
  public struct Script: Sendable {
    public var status: AVAuthorizationStatus = .authorized
    public var grants = true
    public var hasCamera = true
    public var angle: CGFloat = 90
    public var previewAngle: CGFloat = 90
    public var supportedAngles: Set<CGFloat> = [0, 90, 180, 270]
    public var canMirror = true
    public var formats: [OSType] = [kCVPixelFormatType_420YpCbCr8BiPlanarFullRange]
    public var pressure = AVCaptureDevice.SystemPressureState.Level.nominal
    /// How long starting and stopping block.
    public var startSeconds = 0.0
    public var stopSeconds = 0.0
    public var starts = true
    public var isInterrupted = false
    public var acceptsInput = true
    public var acceptsOutput = true
    public var allowsHD = true
    public var allowsMultitasking = true
    /// Frames a second that the format offers.
    public var rates = 1.0...30.0
    public init() {}
  }

  struct Sample: Sendable {
    let width: Int
    let height: Int
    let seconds: Double
  }

  private static let lock = NSLock()
  nonisolated(unsafe) private static var current = Script()
  nonisolated(unsafe) private static var output: AVCaptureVideoDataOutput?
  nonisolated(unsafe) private static var session: AVCaptureSession?
  nonisolated(unsafe) private static weak var connected: AVCaptureOutput?
  nonisolated(unsafe) private static var broken: [String] = []
  nonisolated(unsafe) private static var rate: Double?

  /// What was done that Apple's camera answers with an exception, or that two sessions did at once.
  public static var violations: [String] { lock.withLock { broken } }
  /// The frame rate that was asked for.
  public static var askedRate: Double? { lock.withLock { rate } }

  public static var script: Script { lock.withLock { current } }
  public static var isRunning: Bool { lock.withLock { output != nil } }
  public static var isMirrored: Bool {
    lock.withLock { output?.connection(with: .video)?.isVideoMirrored ?? false }
  }

  /// The pixel format asked of the running camera; nil for its own choice.
  public static var format: OSType? {
    lock.withLock { output?.videoSettings[kCVPixelBufferPixelFormatTypeKey] as? Int }.map(
      OSType.init)
  }

  static func connect(_ output: AVCaptureOutput) { lock.withLock { connected = output } }
  static func isConnected(_ output: AVCaptureOutput) -> Bool {
    lock.withLock { connected === output }
  }

  public static func reset(_ script: Script) {
    lock.withLock {
      current = script
      output = nil
      session = nil
      broken = []
      rate = nil
    }
  }

  /// Changes what the hardware answers from now on.
  public static func change(_ change: (inout Script) -> Void) {
    lock.withLock { change(&current) }
  }

  /// The media server dies and takes the session with it.
  public static func crash(_ code: AVError.Code) {
    let crashed = lock.withLock { session }
    crashed?.stopRunning()
    NotificationCenter.default.post(
      name: AVCaptureSession.runtimeErrorNotification, object: crashed,
      userInfo: [AVCaptureSessionErrorKey: AVError(stubCode: code)])
  }

  /// Delivers one frame to the running camera's delegate and returns when it was taken in.
  public static func deliver(width: Int, height: Int, seconds: Double) {
    lock.withLock { output }?.deliver(Sample(width: width, height: height, seconds: seconds))
  }

  @available(macOS, unavailable)
  public static func post(_ name: Notification.Name, reason: AVCaptureSession.InterruptionReason?) {
    let info = reason.map { [AVCaptureSessionInterruptionReasonKey: NSNumber(value: $0.rawValue)] }
    NotificationCenter.default.post(
      name: name, object: lock.withLock { session }, userInfo: info)
  }

  static func attach(_ newOutput: AVCaptureVideoDataOutput?, session newSession: AVCaptureSession?)
  {
    lock.withLock {
      if let session, session !== newSession { broken.append("two sessions run at once") }
      output = newOutput
      session = newSession
    }
  }

  static func detach(_ old: AVCaptureSession) {
    lock.withLock {
      guard session === old else { return }
      output = nil
      session = nil
    }
  }

  static func demand(_ condition: Bool, _ rule: String) {
    if !condition { lock.withLock { broken.append(rule) } }
  }

  static func record(rate newRate: Double) { lock.withLock { rate = newRate } }

  static func block(_ seconds: KeyPath<Script, Double> & Sendable) {
    Thread.sleep(forTimeInterval: script[keyPath: seconds])
  }
}
