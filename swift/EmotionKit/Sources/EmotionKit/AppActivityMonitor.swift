#if canImport(Vision) && canImport(UIKit)
  import Foundation
  import UIKit

  /// Reports whether the app is in the background, now and whenever that changes, until it is released.
  ///
  /// Frames of the app's own, from a call or a video, go on arriving in the background, where iOS
  /// ends apps that use the GPU.
  final class AppActivityMonitor: @unchecked Sendable {
    // Opaque tokens, written once and read in deinit.
    private let tokens: [any NSObjectProtocol]

    /// On the main actor because UIKit's names are bound to it.
    @MainActor
    init(onChange: @escaping @Sendable (_ inBackground: Bool) -> Void) {
      let center = NotificationCenter.default
      tokens = [
        center.addObserver(
          forName: UIApplication.didEnterBackgroundNotification, object: nil, queue: nil
        ) { _ in onChange(true) },
        center.addObserver(
          forName: UIApplication.willEnterForegroundNotification, object: nil, queue: nil
        ) { _ in onChange(false) },
      ]
      // The system may launch an app in the background, and it then sends neither of the two.
      if Self.isInBackground { onChange(true) }
    }

    /// False in an app extension, which has no application to ask: `shared` must not even be named
    /// there.
    @MainActor private static var isInBackground: Bool {
      #if canImport(ObjectiveC)
        guard !Bundle.main.bundlePath.hasSuffix(".appex") else { return false }
        let shared = UIApplication.perform(NSSelectorFromString("sharedApplication"))
        let application = shared?.takeUnretainedValue() as? UIApplication
      #else
        let application: UIApplication? = UIApplication.shared
      #endif
      return application?.applicationState == .background
    }

    deinit {
      for token in tokens { NotificationCenter.default.removeObserver(token) }
    }
  }
#endif
