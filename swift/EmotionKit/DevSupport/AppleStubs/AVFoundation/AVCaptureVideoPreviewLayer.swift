import Foundation

public struct AVLayerVideoGravity: Hashable, Sendable {
  public static let resizeAspectFill = AVLayerVideoGravity()
}

@available(iOS, deprecated: 17.0)
@available(macOS, deprecated: 14.0)
@available(macCatalyst, deprecated: 17.0)
@available(visionOS, unavailable)
public enum AVCaptureVideoOrientation: Int, Sendable {
  case portrait = 1
  case portraitUpsideDown, landscapeRight, landscapeLeft
}

@available(visionOS, unavailable)
public class AVCaptureVideoPreviewLayer: CALayer {
  public var session: AVCaptureSession? {
    didSet { theConnection = AVCaptureConnection() }
  }
  public var videoGravity = AVLayerVideoGravity.resizeAspectFill
  private var theConnection = AVCaptureConnection()
  /// Nil until the session has an input whose picture could be shown.
  public var connection: AVCaptureConnection? {
    session?.hasInput == true ? theConnection : nil
  }
}

@available(visionOS, unavailable)
extension AVCaptureConnection {
  @available(iOS, deprecated: 17.0)
  @available(macOS, deprecated: 14.0)
  @available(macCatalyst, deprecated: 17.0)
  public var isVideoOrientationSupported: Bool { true }
  @available(iOS, deprecated: 17.0)
  @available(macOS, deprecated: 14.0)
  @available(macCatalyst, deprecated: 17.0)
  public var videoOrientation: AVCaptureVideoOrientation {
    get { .portrait }
    set {}
  }
}

// Key-value observing, which Foundation on Linux lacks.
public class NSKeyValueObservation: NSObject {}
public struct NSKeyValueObservedChange<Value> {}

@available(iOS 17.0, macOS 14.0, macCatalyst 17.0, *)
@available(visionOS, unavailable)
extension AVCaptureDevice.RotationCoordinator {
  public func observe<Value>(
    _ keyPath: KeyPath<AVCaptureDevice.RotationCoordinator, Value>,
    changeHandler:
      @escaping (
        AVCaptureDevice.RotationCoordinator, NSKeyValueObservedChange<Value>
      ) -> Void
  ) -> NSKeyValueObservation { NSKeyValueObservation() }
}
