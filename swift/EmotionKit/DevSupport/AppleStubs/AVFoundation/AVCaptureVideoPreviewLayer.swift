import Foundation

public struct AVLayerVideoGravity: Hashable, Sendable {
  public static let resizeAspectFill = AVLayerVideoGravity()
}

public enum AVCaptureVideoOrientation: Int, Sendable {
  case portrait = 1
  case portraitUpsideDown, landscapeRight, landscapeLeft
}

public class AVCaptureVideoPreviewLayer: CALayer {
  public var session: AVCaptureSession? {
    didSet { theConnection = session == nil ? nil : AVCaptureConnection() }
  }
  public var videoGravity = AVLayerVideoGravity.resizeAspectFill
  private var theConnection: AVCaptureConnection?
  public var connection: AVCaptureConnection? { theConnection }
}

extension AVCaptureConnection {
  public var isVideoOrientationSupported: Bool { true }
  public var videoOrientation: AVCaptureVideoOrientation {
    get { .portrait }
    set {}
  }
}

// Key-value observing, which Foundation on Linux lacks.
public class NSKeyValueObservation: NSObject {}
public struct NSKeyValueObservedChange<Value> {}

@available(iOS 17.0, macOS 14.0, *)
extension AVCaptureDevice.RotationCoordinator {
  public func observe<Value>(
    _ keyPath: KeyPath<AVCaptureDevice.RotationCoordinator, Value>,
    changeHandler:
      @escaping (
        AVCaptureDevice.RotationCoordinator, NSKeyValueObservedChange<Value>
      ) -> Void
  ) -> NSKeyValueObservation { NSKeyValueObservation() }
}
