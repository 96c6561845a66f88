#if canImport(Vision) && canImport(UIKit) && !os(visionOS) && !os(tvOS) && !os(watchOS)
  import Foundation
  import UIKit

  /// Reports how the device is held, now and whenever it changes, until it is stopped. Only needed
  /// before iOS 17, where the camera cannot tell.
  @MainActor
  final class DeviceOrientationMonitor {
    private var token: (any NSObjectProtocol)?

    init(onChange: @escaping @Sendable (DeviceOrientation) -> Void) {
      let device = UIDevice.current
      device.beginGeneratingDeviceOrientationNotifications()
      token = NotificationCenter.default.addObserver(
        forName: UIDevice.orientationDidChangeNotification, object: nil, queue: nil
      ) { _ in
        // Whatever thread it was posted on. Late is harmless: what is read is how it is held then.
        Task { @MainActor in Self.report(onChange) }
      }
      Self.report(onChange)
    }

    func stop() {
      guard let token else { return }
      NotificationCenter.default.removeObserver(token)
      self.token = nil
      UIDevice.current.endGeneratingDeviceOrientationNotifications()
    }

    /// A device that lies flat tells nothing; the last answer stays.
    private static func report(_ onChange: @Sendable (DeviceOrientation) -> Void) {
      switch UIDevice.current.orientation {
      case .portrait: onChange(.portrait)
      case .portraitUpsideDown: onChange(.portraitUpsideDown)
      case .landscapeLeft: onChange(.landscapeLeft)
      case .landscapeRight: onChange(.landscapeRight)
      case .faceUp, .faceDown, .unknown: break
      @unknown default: break
      }
    }
  }
#endif
