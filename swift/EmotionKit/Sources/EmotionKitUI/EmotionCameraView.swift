#if canImport(SwiftUI) && canImport(Vision) && (os(iOS) || os(macOS))
  import EmotionKit
  import SwiftUI

  /// The camera's picture with every face's emotion.
  ///
  ///     EmotionCameraView(camera: .front) { event in print(event) }
  ///
  /// The camera runs while the view is on screen. On iOS the app's Info.plist needs
  /// `NSCameraUsageDescription`.
  public struct EmotionCameraView: View {
    @StateObject private var viewModel: EmotionViewModel
    private let camera: CameraPosition
    private let onEvent: @MainActor (EmotionEvent) -> Void

    /// Creates a camera view.
    public init(
      camera: CameraPosition = .front,
      configuration: EmotionConfiguration = EmotionConfiguration(),
      model: EmotionModelSource = .bundled,
      onEvent: @escaping @MainActor (EmotionEvent) -> Void = { _ in }
    ) {
      _viewModel = StateObject(
        wrappedValue: EmotionViewModel(configuration: configuration, model: model))
      self.camera = camera
      self.onEvent = onEvent
    }

    /// The view's content.
    public var body: some View {
      ZStack {
        Color.black
        if let preview = viewModel.preview {
          CameraPreviewView(preview: preview)
          // Frames are analysed as the preview shows them, mirrored for the front camera.
          EmotionOverlay(readings: viewModel.state.readings)
        }
        message
      }
      .clipped()
      .task(id: camera) { await viewModel.run(camera: camera, onEvent: onEvent) }
    }

    @ViewBuilder private var message: some View {
      switch viewModel.state.phase {
      case .idle, .running: EmptyView()
      case .loading: ProgressView()
      case .interrupted: Text("The camera is paused.").foregroundColor(.white)
      case .failed(let text): Text(text).foregroundColor(.white).padding()
      }
    }
  }
#endif
