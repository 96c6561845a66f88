@_exported import CoreMedia
@_exported import CoreVideo
import Dispatch
@_exported import QuartzCore

public struct AVMediaType: Hashable, Sendable {
  public static let video = AVMediaType()
}

public enum AVAuthorizationStatus: Int, Sendable {
  case notDetermined, restricted, denied, authorized
}

public class AVFrameRateRange: NSObject {
  public let minFrameRate: Double
  public let maxFrameRate: Double
  init(_ rates: ClosedRange<Double>) {
    minFrameRate = rates.lowerBound
    maxFrameRate = rates.upperBound
  }
}

@available(visionOS, unavailable)
public class AVCaptureDevice: NSObject {
  public class Format: NSObject {
    public var videoSupportedFrameRateRanges: [AVFrameRateRange] {
      [AVFrameRateRange(StubCamera.script.rates)]
    }
  }
  public let activeFormat = Format()
  private var isLocked = false
  public func lockForConfiguration() throws { isLocked = true }
  public func unlockForConfiguration() { isLocked = false }
  public var activeVideoMinFrameDuration = CMTime(seconds: 1 / 30, preferredTimescale: 600) {
    didSet {
      StubCamera.demand(isLocked, "the frame duration is set without lockForConfiguration")
      let rate = 1 / activeVideoMinFrameDuration.seconds
      StubCamera.demand(
        StubCamera.script.rates.contains(rate.rounded()), "a frame duration the format has not")
      StubCamera.record(rate: rate)
    }
  }
  public enum Position: Int, Sendable { case unspecified, back, front }
  public struct DeviceType: Hashable, Sendable {
    public static let builtInWideAngleCamera = DeviceType()
  }

  public let position: Position
  init(position: Position) { self.position = position }

  public class func authorizationStatus(for mediaType: AVMediaType) -> AVAuthorizationStatus {
    StubCamera.script.status
  }

  public class func requestAccess(for mediaType: AVMediaType) async -> Bool {
    StubCamera.script.grants
  }

  public class func `default`(
    _ type: DeviceType, for mediaType: AVMediaType?, position: Position
  ) -> AVCaptureDevice? {
    StubCamera.script.hasCamera ? AVCaptureDevice(position: position) : nil
  }

  public class func `default`(for mediaType: AVMediaType) -> AVCaptureDevice? {
    StubCamera.script.hasCamera ? AVCaptureDevice(position: .unspecified) : nil
  }

  @available(iOS 17.0, macOS 14.0, macCatalyst 17.0, *)
  public class RotationCoordinator: NSObject {
    public init(device: AVCaptureDevice, previewLayer: CALayer?) {}
    public var videoRotationAngleForHorizonLevelCapture: CGFloat { StubCamera.script.angle }
    public var videoRotationAngleForHorizonLevelPreview: CGFloat { StubCamera.script.previewAngle }
  }

  @available(macOS, unavailable)
  public class SystemPressureState: NSObject {
    public struct Level: Hashable, Sendable {
      let name: String
      public static let nominal = Level(name: "nominal")
      public static let fair = Level(name: "fair")
      public static let serious = Level(name: "serious")
      public static let critical = Level(name: "critical")
      public static let shutdown = Level(name: "shutdown")
    }
    public let level: Level
    init(level: Level) { self.level = level }
  }
  @available(macOS, unavailable)
  public var systemPressureState: SystemPressureState {
    SystemPressureState(level: StubCamera.script.pressure)
  }
}

public let AVFoundationErrorDomain = "AVFoundationErrorDomain"

/// Where Apple's bridges to and from `NSError`, this becomes one: with its domain and code.
public struct AVError: CustomNSError {
  public enum Code: Int, Sendable {
    case unknown = -11800
    case mediaServicesWereReset = -11819
  }
  public let code: Code
  /// Stub only.
  public init(stubCode: Code) { code = stubCode }

  public static var errorDomain: String { AVFoundationErrorDomain }
  public var errorCode: Int { code.rawValue }
  public var errorUserInfo: [String: Any] {
    [NSLocalizedDescriptionKey: "camera error \(code.rawValue)"]
  }
}

@available(visionOS, unavailable)
public class AVCaptureInput: NSObject {}
@available(visionOS, unavailable)
public class AVCaptureDeviceInput: AVCaptureInput {
  public init(device: AVCaptureDevice) throws {}
}
@available(visionOS, unavailable)
public class AVCaptureOutput: NSObject {
  fileprivate let theConnection = AVCaptureConnection()
  public func connection(with mediaType: AVMediaType) -> AVCaptureConnection? { theConnection }
}

@available(visionOS, unavailable)
public class AVCaptureConnection: NSObject {
  public var isVideoMirroringSupported: Bool { StubCamera.script.canMirror }
  public var automaticallyAdjustsVideoMirroring = true
  public var isVideoMirrored = false
  @available(iOS 17.0, macOS 14.0, macCatalyst 17.0, *)
  public var videoRotationAngle: CGFloat {
    get { angle }
    set { angle = newValue }
  }
  @available(iOS 17.0, macOS 14.0, macCatalyst 17.0, *)
  public func isVideoRotationAngleSupported(_ angle: CGFloat) -> Bool {
    StubCamera.script.supportedAngles.contains(angle)
  }
  private var angle: CGFloat = 0
}

@available(visionOS, unavailable)
public protocol AVCaptureVideoDataOutputSampleBufferDelegate: NSObjectProtocol {
  func captureOutput(
    _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer,
    from connection: AVCaptureConnection)
}

@available(visionOS, unavailable)
public class AVCaptureVideoDataOutput: AVCaptureOutput {
  public var alwaysDiscardsLateVideoFrames = true
  public var videoSettings: [String: Any]! = [:]
  public var availableVideoPixelFormatTypes: [OSType] {
    StubCamera.isConnected(self) ? StubCamera.script.formats : []
  }
  fileprivate weak var delegate: (any AVCaptureVideoDataOutputSampleBufferDelegate)?
  fileprivate var queue: DispatchQueue?

  public func setSampleBufferDelegate(
    _ delegate: (any AVCaptureVideoDataOutputSampleBufferDelegate)?, queue: DispatchQueue?
  ) {
    self.delegate = delegate
    self.queue = queue
  }

  /// Stub only: what the hardware does for each frame.
  func deliver(_ sample: StubCamera.Sample) {
    nonisolated(unsafe) let output = self
    queue?.sync {
      var buffer: CVPixelBuffer?
      _ = CVPixelBufferCreate(nil, sample.width, sample.height, 0, nil, &buffer)
      output.delegate?.captureOutput(
        output, didOutput: CMSampleBuffer(stubImage: buffer, seconds: sample.seconds),
        from: output.theConnection)
    }
  }
}

@available(visionOS, unavailable)
public let AVCaptureSessionErrorKey = "AVCaptureSessionErrorKey"
@available(macOS, unavailable)
@available(visionOS, unavailable)
public let AVCaptureSessionInterruptionReasonKey = "AVCaptureSessionInterruptionReasonKey"

@available(visionOS, unavailable)
public class AVCaptureSession: NSObject {
  public struct Preset: Hashable, Sendable {
    let name: String
    public static let high = Preset(name: "high")
    public static let hd1280x720 = Preset(name: "1280x720")
  }
  @available(macOS, unavailable)
  public enum InterruptionReason: Int, Sendable {
    case videoDeviceNotAvailableInBackground = 1
    case audioDeviceInUseByAnotherClient = 2
    case videoDeviceInUseByAnotherClient = 3
    case videoDeviceNotAvailableWithMultipleForegroundApps = 4
    case videoDeviceNotAvailableDueToSystemPressure = 5
  }

  public static let wasInterruptedNotification = Notification.Name("stub.wasInterrupted")
  public static let interruptionEndedNotification = Notification.Name("stub.interruptionEnded")
  public static let runtimeErrorNotification = Notification.Name("stub.runtimeError")

  /// May be set when it was asked for, which depends on the inputs at that moment.
  public var sessionPreset = Preset.high {
    didSet {
      StubCamera.demand(allows(sessionPreset), "a preset is set that the session does not allow")
    }
  }
  public private(set) var isRunning = false
  @available(macOS, unavailable)
  public var isInterrupted: Bool { StubCamera.script.isInterrupted }
  @available(iOS 16.0, macCatalyst 16.0, *)
  @available(macOS, unavailable)
  public var isMultitaskingCameraAccessSupported: Bool { StubCamera.script.allowsMultitasking }
  @available(iOS 16.0, macCatalyst 16.0, *)
  @available(macOS, unavailable)
  public var isMultitaskingCameraAccessEnabled: Bool {
    get { isMultitasking }
    set {
      StubCamera.demand(isMultitaskingCameraAccessSupported, "multitasking is not supported")
      isMultitasking = newValue
    }
  }
  private var isMultitasking = false
  private var inputs: [AVCaptureInput] = []
  var hasInput: Bool { !inputs.isEmpty }
  private var outputs: [AVCaptureOutput] = []

  public override init() {}

  private func allows(_ preset: Preset) -> Bool {
    preset == .high || (!inputs.isEmpty && StubCamera.script.allowsHD)
  }

  public func canSetSessionPreset(_ preset: Preset) -> Bool { allows(preset) }
  public func beginConfiguration() {}
  public func commitConfiguration() {}
  public func canAddInput(_ input: AVCaptureInput) -> Bool {
    inputs.isEmpty && StubCamera.script.acceptsInput && sessionPreset == .high
  }
  public func canAddOutput(_ output: AVCaptureOutput) -> Bool {
    outputs.isEmpty && !inputs.isEmpty && StubCamera.script.acceptsOutput
  }
  public func addInput(_ input: AVCaptureInput) {
    StubCamera.demand(canAddInput(input), "an input is added that the session refuses")
    inputs.append(input)
  }
  public func removeInput(_ input: AVCaptureInput) { inputs.removeAll { $0 === input } }
  public func addOutput(_ output: AVCaptureOutput) {
    StubCamera.demand(canAddOutput(output), "an output is added that the session refuses")
    outputs.append(output)
    StubCamera.connect(output)
  }

  /// Blocks while the hardware starts, as Apple's does.
  public func startRunning() {
    StubCamera.block(\.startSeconds)
    guard StubCamera.script.starts else { return }
    isRunning = true
    StubCamera.attach(outputs.compactMap { $0 as? AVCaptureVideoDataOutput }.first, session: self)
  }

  /// Blocks while the hardware stops, as Apple's does.
  public func stopRunning() {
    StubCamera.block(\.stopSeconds)
    isRunning = false
    StubCamera.detach(self)
  }
}
