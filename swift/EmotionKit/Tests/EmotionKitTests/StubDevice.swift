#if EMOTIONKIT_APPLE_STUBS
  import Foundation
  import UIKit

  /// Moves the pretended device. A file of its own: where Testing and UIKit are both imported, the
  /// compiler asks for a module that joins them and that exists on Apple's systems only.
  @MainActor enum StubDevice {
    static var listeners: Int { UIDevice.current.generators }

    static func turn(to orientation: UIDeviceOrientation) {
      UIDevice.current.orientation = orientation
      NotificationCenter.default.post(
        name: UIDevice.orientationDidChangeNotification, object: nil)
    }

    static func launch(inBackground: Bool) {
      UIApplication.shared.applicationState = inBackground ? .background : .active
    }

    static func enterBackground() {
      NotificationCenter.default.post(
        name: UIApplication.didEnterBackgroundNotification, object: nil)
    }

    static func enterForeground() {
      NotificationCenter.default.post(
        name: UIApplication.willEnterForegroundNotification, object: nil)
    }
  }
#endif
