#if canImport(SwiftUI) && canImport(Vision) && (os(iOS) || os(macOS))
  import EmotionKit
  import SwiftUI

  /// Runs an ``EmotionMonitor`` for a view and publishes what it should show.
  @MainActor
  public final class EmotionViewModel: ObservableObject {
    /// What to show.
    @Published public private(set) var state = LiveState()
    @Published private(set) var preview: CameraPreview?

    private let configuration: EmotionConfiguration
    private let model: EmotionModelSource

    /// Creates a view model that does nothing until it is run.
    public init(
      configuration: EmotionConfiguration = EmotionConfiguration(),
      model: EmotionModelSource = .bundled
    ) {
      self.configuration = configuration
      self.model = model
    }

    /// Runs the camera until the surrounding task is cancelled; made for `View.task`.
    ///
    /// A failure is not thrown but shown: see ``LiveState/Phase/failed(_:)``.
    ///
    /// - Parameter onEvent: called on the main actor with every event, before it is shown.
    public func run(
      camera: CameraPosition = .front, onEvent: @MainActor (EmotionEvent) -> Void = { _ in }
    ) async {
      state = LiveState()
      state.phase = .loading
      do {
        let monitor = try await EmotionMonitor(configuration: configuration, model: model)
        let events = monitor.events()
        try await monitor.start(camera: camera)
        preview = await monitor.preview
        state.phase = .running
        for await event in events {
          onEvent(event)
          state.apply(event)
        }
        preview = nil
        try await monitor.stop()
        state = LiveState()
      } catch {
        preview = nil
        state.phase = .failed(error.localizedDescription)
      }
    }
  }
#endif
