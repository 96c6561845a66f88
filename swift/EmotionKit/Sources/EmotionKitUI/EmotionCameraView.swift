#if canImport(SwiftUI)
  import EmotionKit
  import SwiftUI

  /// The camera's picture with every face's emotion.
  ///
  ///     EmotionCameraView(camera: .front) { event in print(event) }
  ///
  /// The camera runs while the view is on screen. On iOS the app's Info.plist needs
  /// `NSCameraUsageDescription`. In a preview, which has no camera, show a script:
  ///
  ///     EmotionCameraView(source: ScriptedEmotionSource.twoFaces())
  public struct EmotionCameraView: View {
    /// What makes the work start again.
    private struct Run: Hashable {
      let camera: CameraPosition?
      let attempt: Int
    }

    @StateObject private var viewModel: EmotionViewModel
    @State private var attempt = 0
    private let camera: CameraPosition?
    private let showsBars: Bool
    private let onEvent: @MainActor (EmotionEvent) -> Void

    /// Creates a view of anything live.
    ///
    /// - Parameters:
    ///   - source: kept for as long as the view has its identity.
    ///   - showsBars: show the probabilities of the largest face.
    ///   - onEvent: called on the main actor with every event.
    public init(
      source: any EmotionSource, showsBars: Bool = true,
      onEvent: @escaping @MainActor (EmotionEvent) -> Void = { _ in }
    ) {
      _viewModel = StateObject(wrappedValue: EmotionViewModel(source: source))
      camera = nil
      self.showsBars = showsBars
      self.onEvent = onEvent
    }

    #if canImport(Vision) && !os(visionOS) && !os(tvOS) && !os(watchOS)
      /// Creates a view of a camera. With another `camera` the picture changes to it.
      ///
      /// - Parameters:
      ///   - showsBars: show the probabilities of the largest face.
      ///   - onEvent: called on the main actor with every event.
      public init(
        camera: CameraPosition = .front,
        configuration: EmotionConfiguration = EmotionConfiguration(),
        model: EmotionModelSource = .bundled, showsBars: Bool = true,
        onEvent: @escaping @MainActor (EmotionEvent) -> Void = { _ in }
      ) {
        _viewModel = StateObject(
          wrappedValue: EmotionViewModel(
            camera: camera, configuration: configuration, model: model))
        self.camera = camera
        self.showsBars = showsBars
        self.onEvent = onEvent
      }
    #endif

    /// The view's content.
    public var body: some View {
      ZStack {
        Color.black
          .accessibilityHidden(true)
        picture
        VStack {
          if viewModel.isDemo { demoNotice }
          Spacer()
          if showsBars, let face = viewModel.state.readings.first {
            ProbabilityBars(probabilities: face.probabilities, dominant: face.dominant)
              .padding(12)
              .background(.thinMaterial, in: RoundedRectangle(cornerRadius: 12))
              .frame(maxWidth: 360)
          }
        }
        .padding(16)
        LiveMessage(state: viewModel.state) { attempt += 1 }
      }
      .clipped()
      .task(id: Run(camera: camera, attempt: attempt)) {
        await viewModel.run(camera: camera, onEvent: onEvent)
      }
    }

    @ViewBuilder private var picture: some View {
      #if canImport(Vision) && !os(visionOS) && !os(tvOS) && !os(watchOS)
        if let preview = viewModel.preview {
          CameraPreviewView(preview: preview)
            .accessibilityLabel(Phrase.cameraPicture.text)
          // Frames are analysed as the preview shows them, mirrored for the front camera, but
          // always upright.
          EmotionOverlay(
            readings: viewModel.state.readings,
            quarterTurns: preview.rotation.fromAnalysedToShown(mirrored: preview.isMirrored))
        } else {
          EmotionOverlay(readings: viewModel.state.readings)
        }
      #else
        EmotionOverlay(readings: viewModel.state.readings)
      #endif
    }

    private var demoNotice: some View {
      Label(Phrase.demo.text, systemImage: "paintbrush")
        .font(.footnote)
        .padding(8)
        .background(.thinMaterial, in: Capsule())
    }
  }

  #if DEBUG
    struct EmotionCameraViewPreviews: PreviewProvider {
      static var previews: some View {
        EmotionCameraView(source: ScriptedEmotionSource.twoFaces())
          .previewDisplayName("Two faces")
        EmotionCameraView(source: ScriptedEmotionSource.twoFaces())
          .environment(\.dynamicTypeSize, .accessibility3)
          .previewDisplayName("Large text")
        EmotionCameraView(source: ScriptedEmotionSource(failure: .cameraUnauthorized))
          .previewDisplayName("Not allowed")
        EmotionCameraView(
          source: ScriptedEmotionSource(failure: .cameraUnavailable(reason: "there is none"))
        )
        .previewDisplayName("No camera")
      }
    }
  #endif
#endif
