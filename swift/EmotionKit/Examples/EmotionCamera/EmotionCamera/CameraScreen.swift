import EmotionKitUI
import SwiftUI

/// The live camera with the last change in words, and a button for the other camera.
struct CameraScreen: View {
  /// Nil is the real camera; a preview passes a script.
  var source: (any EmotionSource)?

  @State private var camera = CameraPosition.front
  @State private var lastChange = "Nobody yet"

  var body: some View {
    NavigationStack {
      VStack(spacing: 0) {
        live
        Text(lastChange)
          .font(.callout)
          .padding(12)
          .accessibilityAddTraits(.updatesFrequently)
      }
      .navigationTitle("Camera")
      .toolbar {
        Button {
          camera = camera == .front ? .back : .front
        } label: {
          Label("Other camera", systemImage: "arrow.triangle.2.circlepath.camera")
        }
        .disabled(source != nil)
      }
    }
  }

  @ViewBuilder private var live: some View {
    if let source {
      EmotionCameraView(source: source) { show($0) }
    } else {
      EmotionCameraView(camera: camera) { show($0) }
    }
  }

  private func show(_ event: EmotionEvent) {
    switch event {
    case .changed(let face, _, let emotion, _):
      lastChange = "\(face): \(emotion?.rawValue ?? "uncertain")"
    case .faceLost(let face):
      lastChange = "\(face) has left"
    default:
      break
    }
  }
}

struct CameraScreenPreviews: PreviewProvider {
  static var previews: some View {
    CameraScreen(source: ScriptedEmotionSource.twoFaces())
      .previewDisplayName("Scripted")
    CameraScreen(source: ScriptedEmotionSource(failure: .cameraUnauthorized))
      .previewDisplayName("Not allowed")
  }
}
