import CoreImage
@_exported import Foundation
@_exported import ImageIO
@_exported import QuartzCore

// Everything on the main actor, as in UIKit; stricter than its headers where those are lenient.

@MainActor public class UIApplication: NSObject {
  public static let didEnterBackgroundNotification = Notification.Name("stub.didEnterBackground")
  public static let willEnterForegroundNotification = Notification.Name("stub.willEnterForeground")
  public static let openSettingsURLString = "app-settings:"
  public enum State: Int, Sendable { case active, inactive, background }
  @available(iOSApplicationExtension, unavailable)
  public static let shared = UIApplication()
  /// Stub only: tests launch the app in the background.
  public var applicationState = State.active
}

@available(visionOS, unavailable)
public enum UIDeviceOrientation: Int, Sendable {
  case unknown, portrait, portraitUpsideDown, landscapeLeft, landscapeRight, faceUp, faceDown
}

@available(visionOS, unavailable)
public enum UIInterfaceOrientation: Int, Sendable {
  case unknown, portrait, portraitUpsideDown, landscapeRight, landscapeLeft
}

@MainActor public class UIDevice: NSObject {
  public static let current = UIDevice()
  @available(visionOS, unavailable)
  public static let orientationDidChangeNotification = Notification.Name("stub.orientation")
  /// Stub only: tests turn the device.
  @available(visionOS, unavailable)
  public var orientation: UIDeviceOrientation {
    get { theOrientation as? UIDeviceOrientation ?? .portrait }
    set { theOrientation = newValue }
  }
  private var theOrientation: Any?
  /// Stub only.
  public private(set) var generators = 0
  @available(visionOS, unavailable)
  public func beginGeneratingDeviceOrientationNotifications() { generators += 1 }
  @available(visionOS, unavailable)
  public func endGeneratingDeviceOrientationNotifications() { generators -= 1 }
}

@MainActor public class UIWindowScene: NSObject {
  @available(visionOS, unavailable)
  public var interfaceOrientation: UIInterfaceOrientation { .portrait }
}

@MainActor public class UIWindow: UIView {
  public var windowScene: UIWindowScene?
}

@MainActor open class UIView: NSObject {
  open class var layerClass: AnyClass { CALayer.self }
  public private(set) lazy var layer: CALayer = (Self.layerClass as? CALayer.Type ?? CALayer.self)
    .init()
  public var window: UIWindow?
  public override init() {}
  open func layoutSubviews() {}
  public func setNeedsLayout() {}
}

public class UIImage: NSObject, @unchecked Sendable {
  /// In UIKit's order, which is not that of `CGImagePropertyOrientation`.
  public enum Orientation: Int, Sendable {
    case up, down, left, right, upMirrored, downMirrored, leftMirrored, rightMirrored
  }

  public let cgImage: CGImage?
  public let ciImage: CIImage?
  public let imageOrientation: Orientation

  public override init() {
    (cgImage, ciImage, imageOrientation) = (nil, nil, .up)
  }
  public init?(data: Data) {
    if data.isEmpty { return nil }
    (cgImage, ciImage, imageOrientation) = (nil, nil, .up)
  }
  public init(cgImage: CGImage, scale: CGFloat, orientation: Orientation) {
    (self.cgImage, ciImage, imageOrientation) = (cgImage, nil, orientation)
  }
  public init(ciImage: CIImage, scale: CGFloat, orientation: Orientation) {
    (cgImage, self.ciImage, imageOrientation) = (nil, ciImage, orientation)
  }
}
