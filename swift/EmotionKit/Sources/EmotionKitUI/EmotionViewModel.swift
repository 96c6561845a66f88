#if canImport(SwiftUI)
  import EmotionKit
  import SwiftUI

  /// Runs an ``EmotionSource`` for a view and publishes what it should show.
  ///
  ///     @StateObject private var emotions = EmotionViewModel(camera: .front)
  ///     …
  ///     Text(emotions.state.readings.first?.dominant?.rawValue ?? "nobody")
  ///       .task { await emotions.run() }
  @MainActor
  public final class EmotionViewModel: ObservableObject {
    /// What to show.
    @Published public private(set) var state = LiveState()
    /// True when the loaded model learnt from drawn faces.
    @Published public private(set) var isDemo = false

    private let source: any EmotionSource
    private let runs = SingleRun()

    /// Creates a view model that does nothing until it is run.
    public init(source: any EmotionSource) {
      self.source = source
    }

    #if canImport(Vision) && !os(visionOS) && !os(tvOS) && !os(watchOS)
      @Published private(set) var preview: CameraPreview?

      /// Creates a view model of a camera that does nothing until it is run.
      public convenience init(
        camera: CameraPosition = .front,
        configuration: EmotionConfiguration = EmotionConfiguration(),
        model: EmotionModelSource = .bundled
      ) {
        self.init(
          source: CameraEmotionSource(camera: camera, configuration: configuration, model: model))
      }
    #endif

    /// Runs the source until the surrounding task is cancelled; made for `View.task`.
    ///
    /// A failure is not thrown but shown: see ``LiveState/Phase``. Run again to try again. A new run
    /// ends the one before, and begins when that one has stopped the source.
    ///
    /// - Parameters:
    ///   - camera: the camera to use, if the source is one; nil for the one it was made with.
    ///   - onEvent: called on the main actor with every event, before it is shown.
    public func run(
      camera: CameraPosition? = nil,
      onEvent: @escaping @MainActor (EmotionEvent) -> Void = { _ in }
    ) async {
      await runs.run { [self] in await follow(camera: camera, onEvent: onEvent) }
    }

    private func follow(
      camera: CameraPosition?, onEvent: @MainActor (EmotionEvent) -> Void
    ) async {
      #if canImport(Vision) && !os(visionOS) && !os(tvOS) && !os(watchOS)
        let cameraSource = source as? CameraEmotionSource
        if let camera { await cameraSource?.select(camera) }
        defer { preview = nil }
      #endif
      await LiveState.follow(
        source, onEvent: onEvent,
        onStart: {
          #if canImport(Vision) && !os(visionOS) && !os(tvOS) && !os(watchOS)
            isDemo = await cameraSource?.isDemo ?? false
            preview = await cameraSource?.preview
          #endif
        },
        update: { state = $0 })
    }
  }
#endif
