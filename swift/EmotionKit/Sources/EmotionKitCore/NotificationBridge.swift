import Foundation

extension Notification.Name {
  /// Posted by ``NotificationBridge`` when the steady answer for a face changed.
  public static let emotionDidChange = Notification.Name("EmotionKit.emotionDidChange")
}

/// Posts a notification for every ``EmotionEvent/changed(_:from:to:reading:)``, for code that
/// listens to `NotificationCenter` rather than to a stream.
///
///     let bridge = NotificationBridge(events: monitor.events())
///     NotificationCenter.default.addObserver(forName: .emotionDidChange, object: nil, queue: .main) {
///       let reading = $0.userInfo?[NotificationBridge.readingKey] as? EmotionReading
///     }
///
/// Notifications stop when the bridge is released or the stream ends.
public final class NotificationBridge: Sendable {
  /// Key of the ``EmotionReading`` in `userInfo`.
  public static let readingKey = "EmotionKit.reading"

  private let task: Task<Void, Never>

  /// Creates a bridge that posts on an arbitrary thread.
  public init(events: AsyncStream<EmotionEvent>, center: NotificationCenter = .default) {
    task = Task {
      for await event in events {
        if case .changed(_, from: _, to: _, let reading) = event {
          center.post(
            name: .emotionDidChange, object: nil, userInfo: [Self.readingKey: reading])
        }
      }
    }
  }

  deinit { task.cancel() }
}
