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

/// The notice first; nothing is read before somebody has agreed.
struct RootView: View {
  // Asked at every launch. @AppStorage would remember the answer, and UserDefaults needs a reason in
  // PrivacyInfo.xcprivacy.
  @State private var agreed: Bool?

  var body: some View {
    switch agreed {
    case true?:
      Screens()
    case nil:
      EmotionNoticeView(
        purpose: "To show what your face looks like to a network, on this screen.",
        onContinue: { agreed = true }, onDecline: { agreed = false })
    case false?:
      VStack(spacing: 16) {
        Text("Nothing is read.")
        Button("Show the notice again") { agreed = nil }
      }
    }
  }
}

struct Screens: View {
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
