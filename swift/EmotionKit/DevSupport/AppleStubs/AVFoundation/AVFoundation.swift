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

public class AVCaptureDevice: NSObject {
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

  @available(iOS 17.0, macOS 14.0, *)
  public class RotationCoordinator: NSObject {
    public init(device: AVCaptureDevice, previewLayer: CALayer?) {}
    public var videoRotationAngleForHorizonLevelCapture: CGFloat { StubCamera.script.angle }
    public var videoRotationAngleForHorizonLevelPreview: CGFloat { StubCamera.script.previewAngle }
  }

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
  public var systemPressureState: SystemPressureState {
    SystemPressureState(level: StubCamera.script.pressure)
  }
}

public struct AVError: Error {
  public enum Code: Int, Sendable { case unknown, mediaServicesWereReset }
  public let code: Code
  /// Stub only.
  public init(stubCode: Code) { code = stubCode }
}

public class AVCaptureInput: NSObject {}
public class AVCaptureDeviceInput: AVCaptureInput {
  public init(device: AVCaptureDevice) throws {}
}
public class AVCaptureOutput: NSObject {
  fileprivate let theConnection = AVCaptureConnection()
  public func connection(with mediaType: AVMediaType) -> AVCaptureConnection? { theConnection }
}

public class AVCaptureConnection: NSObject {
  public var isVideoMirroringSupported: Bool { StubCamera.script.canMirror }
  public var automaticallyAdjustsVideoMirroring = true
  public var isVideoMirrored = false
  @available(iOS 17.0, macOS 14.0, *)
  public var videoRotationAngle: CGFloat {
    get { angle }
    set { angle = newValue }
  }
  @available(iOS 17.0, macOS 14.0, *)
  public func isVideoRotationAngleSupported(_ angle: CGFloat) -> Bool {
    StubCamera.script.supportedAngles.contains(angle)
  }
  private var angle: CGFloat = 0
}

public protocol AVCaptureVideoDataOutputSampleBufferDelegate: NSObjectProtocol {
  func captureOutput(
    _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer,
    from connection: AVCaptureConnection)
}

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

public let AVCaptureSessionErrorKey = "AVCaptureSessionErrorKey"
public let AVCaptureSessionInterruptionReasonKey = "AVCaptureSessionInterruptionReasonKey"

public class AVCaptureSession: NSObject {
  public struct Preset: Hashable, Sendable {
    public static let hd1280x720 = Preset()
  }
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

  public var sessionPreset = Preset.hd1280x720
  public private(set) var isRunning = false
  private var outputs: [AVCaptureOutput] = []

  public override init() {}
  public func canSetSessionPreset(_ preset: Preset) -> Bool { true }
  public func beginConfiguration() {}
  public func commitConfiguration() {}
  public func canAddInput(_ input: AVCaptureInput) -> Bool { true }
  public func canAddOutput(_ output: AVCaptureOutput) -> Bool { true }
  public func addInput(_ input: AVCaptureInput) {}
  public func addOutput(_ output: AVCaptureOutput) {
    outputs.append(output)
    StubCamera.connect(output)
  }

  public func startRunning() {
    isRunning = true
    StubCamera.attach(outputs.compactMap { $0 as? AVCaptureVideoDataOutput }.first, session: self)
  }

  public func stopRunning() {
    isRunning = false
    StubCamera.attach(nil, session: nil)
  }
}
