#if canImport(Vision) && canImport(UIKit)
  import Foundation
  import UIKit

  /// Reports when the app goes to the background and when it comes back, until it is released.
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
    }

    deinit {
      for token in tokens { NotificationCenter.default.removeObserver(token) }
    }
  }
#endif
