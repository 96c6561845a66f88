import Foundation

extension Notification.Name {
  /// Posted by ``NotificationBridge`` when the steady answer for a face changed.
  public static let emotionDidChange = Notification.Name("EmotionKit.emotionDidChange")
  /// Posted by ``NotificationBridge`` when a face came into view.
  public static let emotionFaceDidAppear = Notification.Name("EmotionKit.emotionFaceDidAppear")
  /// Posted by ``NotificationBridge`` when a face is gone.
  public static let emotionFaceWasLost = Notification.Name("EmotionKit.emotionFaceWasLost")
}

/// Posts a notification when an emotion changes and when a face comes or goes, for code that
/// listens to `NotificationCenter` rather than to a stream.
///
///     let bridge = NotificationBridge(events: monitor.events())
///     NotificationCenter.default.addObserver(forName: .emotionDidChange, object: nil, queue: .main) {
///       let reading = $0.userInfo?[NotificationBridge.readingKey] as? EmotionReading
///     }
///
/// Nothing is posted without a bridge, and nothing for single frames: that would be a dozen a
/// second. Notifications stop when the bridge is released or the stream ends.
public final class NotificationBridge: Sendable {
  /// Key of the ``EmotionReading`` in `userInfo` of `emotionDidChange`.
  public static let readingKey = "EmotionKit.reading"
  /// Key of the ``Emotion`` before, in `userInfo` of `emotionDidChange`; absent if uncertain.
  public static let previousKey = "EmotionKit.previous"
  /// Key of the ``FaceID`` in `userInfo` of all three.
  public static let faceKey = "EmotionKit.face"

  private let task: Task<Void, Never>

  /// Creates a bridge that posts on an arbitrary thread.
  public init(events: AsyncStream<EmotionEvent>, center: NotificationCenter = .default) {
    task = Task {
      for await event in events {
        switch event {
        case .changed(let face, let old, to: _, let reading):
          var info: [String: Any] = [Self.readingKey: reading, Self.faceKey: face]
          info[Self.previousKey] = old
          center.post(name: .emotionDidChange, object: nil, userInfo: info)
        case .faceAppeared(let face):
          center.post(
            name: .emotionFaceDidAppear, object: nil, userInfo: [Self.faceKey: face])
        case .faceLost(let face):
          center.post(name: .emotionFaceWasLost, object: nil, userInfo: [Self.faceKey: face])
        case .frame, .interrupted, .resumed, .throttled, .fellBack, .failed: break
        }
      }
    }
  }

  deinit { task.cancel() }
}
