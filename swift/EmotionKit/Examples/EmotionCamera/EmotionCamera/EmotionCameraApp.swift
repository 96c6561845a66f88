import EmotionKitUI
import SwiftUI

/// Three ways to hand pictures to EmotionKit: the camera, a photo, a video file.
@main
struct EmotionCameraApp: App {
  var body: some Scene {
    WindowGroup {
      RootView()
    }
  }
}

struct RootView: View {
  var body: some View {
    TabView {
      CameraScreen()
        .tabItem { Label("Camera", systemImage: "camera") }
      PhotoScreen()
        .tabItem { Label("Photo", systemImage: "photo") }
      VideoScreen()
        .tabItem { Label("Video", systemImage: "film") }
    }
  }
}
