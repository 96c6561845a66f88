#if canImport(SwiftUI)
  import EmotionKit
  import SwiftUI
  #if canImport(UIKit)
    import UIKit
  #endif

  /// What a live view says when it has no faces to show: loading, permission, interruption, error.
  package struct LiveMessage: View {
    private let state: LiveState
    private let retry: @MainActor () -> Void

    @Environment(\.openURL) private var openURL

    /// Creates a message; empty while everything runs.
    ///
    /// - Parameter retry: called when the person wants to try again after an error.
    package init(state: LiveState, retry: @escaping @MainActor () -> Void) {
      self.state = state
      self.retry = retry
    }

    /// The view's content.
    package var body: some View {
      switch state.phase {
      case .idle, .running, .interrupted:
        if let notice = state.notice {
          Label(notice, systemImage: "pause.circle")
            .font(.callout)
            .padding(12)
            .background(.thinMaterial, in: Capsule())
        }
      case .loading:
        ProgressView(Phrase.loading.text)
          .padding(16)
          .background(.thinMaterial, in: RoundedRectangle(cornerRadius: 12))
      case .unauthorized:
        card(
          "video.slash", title: Phrase.notAllowed.text, text: Phrase.howToAllow.text
        ) {
          if let settings = Self.settings {
            Button(Phrase.openSettings.text) { openURL(settings) }
          }
        }
      case .failed(let message, let advice):
        card("exclamationmark.triangle", title: message, text: advice) {
          Button(Phrase.tryAgain.text) { retry() }
        }
      }
    }

    private func card(
      _ symbol: String, title: String, text: String?, @ViewBuilder action: () -> some View
    ) -> some View {
      // Scrolls, because at the largest text sizes it is taller than a small phone.
      ScrollView {
        VStack(spacing: 12) {
          Image(systemName: symbol)
            .font(.largeTitle)
            .accessibilityHidden(true)
          Text(title)
            .font(.headline)
          if let text { Text(text).font(.subheadline) }
          action()
            .buttonStyle(.borderedProminent)
        }
        .multilineTextAlignment(.center)
        .padding(20)
      }
      .frame(maxWidth: 420, maxHeight: 360)
      .background(.regularMaterial, in: RoundedRectangle(cornerRadius: 16))
      .padding(16)
    }

    /// Where the person can allow the camera.
    private static var settings: URL? {
      #if canImport(UIKit)
        URL(string: UIApplication.openSettingsURLString)
      #else
        URL(string: "x-apple.systempreferences:com.apple.preference.security?Privacy_Camera")
      #endif
    }
  }
#endif
