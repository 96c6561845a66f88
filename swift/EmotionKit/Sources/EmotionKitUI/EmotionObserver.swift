import EmotionKit
import Observation

/// Runs an ``EmotionSource`` and lets SwiftUI, or anything that uses Observation, watch it.
///
///     @State private var emotions = EmotionObserver(source: CameraEmotionSource())
///     …
///     Text(emotions.state.readings.first?.dominant?.rawValue ?? "nobody")
///       .task { await emotions.run() }
@available(iOS 17.0, macOS 14.0, tvOS 17.0, visionOS 1.0, *)
@MainActor
@Observable
public final class EmotionObserver {
  /// What to show.
  public private(set) var state = LiveState()

  @ObservationIgnored private let source: any EmotionSource
  @ObservationIgnored private let runs = SingleRun()

  /// Creates an observer that does nothing until it is run.
  public init(source: any EmotionSource) {
    self.source = source
  }

  /// Runs the source until the surrounding task is cancelled; made for `View.task`.
  ///
  /// A failure is not thrown but shown: see ``LiveState/Phase``. Run again to try again. A new run ends
  /// the one before, and begins when that one has stopped the source.
  ///
  /// - Parameter onEvent: called on the main actor with every event, before it is shown.
  public func run(onEvent: @escaping @MainActor (EmotionEvent) -> Void = { _ in }) async {
    await runs.run { [self] in
      await LiveState.follow(source, onEvent: onEvent, update: { state = $0 })
    }
  }
}
