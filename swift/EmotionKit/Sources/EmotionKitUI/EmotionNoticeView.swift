#if canImport(SwiftUI)
  import EmotionKit
  import SwiftUI

  /// Tells people what the camera is about to be used for, before the first reading.
  ///
  /// It says that an AI system estimates expressions, what for, that pictures are neither kept nor sent,
  /// that an expression is not a feeling, and that one may refuse; in English, German, French, Spanish,
  /// Japanese or Simplified Chinese, whichever the app has.
  ///
  ///     @State private var accepted = false
  ///     …
  ///     if accepted {
  ///       EmotionCameraView()
  ///     } else {
  ///       EmotionNoticeView { accepted = true } onDecline: { dismiss() }
  ///     }
  ///
  /// It says what EmotionKit does. An app that keeps or sends readings must say so: pass `details`.
  public struct EmotionNoticeView: View {
    private let notice: EmotionNotice
    private let onContinue: @MainActor () -> Void
    private let onDecline: (@MainActor () -> Void)?

    /// Creates a notice.
    ///
    /// - Parameters:
    ///   - purpose: what the app reads expressions for, in the person's language; nil takes what was
    ///     recorded when the bundled model was trained, in the words of whoever trained it.
    ///   - details: more paragraphs, in the person's language: what the app does with the readings.
    ///   - onContinue: called when the person agrees.
    ///   - onDecline: called when the person does not; without it there is no such button, and the app
    ///     has to offer another way out.
    public init(
      purpose: String? = nil, details: [String] = [],
      onContinue: @escaping @MainActor () -> Void, onDecline: (@MainActor () -> Void)? = nil
    ) {
      notice = EmotionNotice(purpose: purpose, details: details)
      self.onContinue = onContinue
      self.onDecline = onDecline
    }

    /// The texts of the notice, the title first, for an app that shows them in a way of its own.
    ///
    /// - Parameters:
    ///   - purpose: as in the initialiser.
    ///   - details: as in the initialiser.
    public static func texts(purpose: String? = nil, details: [String] = []) -> [String] {
      let notice = EmotionNotice(purpose: purpose, details: details)
      return [notice.title] + notice.paragraphs
    }

    /// The view's content.
    public var body: some View {
      VStack(spacing: 16) {
        ScrollView {
          VStack(alignment: .leading, spacing: 12) {
            Image(systemName: "face.smiling")
              .font(.largeTitle)
              .accessibilityHidden(true)
            Text(notice.title)
              .font(.headline)
              .accessibilityAddTraits(.isHeader)
            ForEach(notice.paragraphs, id: \.self) { paragraph in
              Text(paragraph).font(.callout)
            }
          }
          .frame(maxWidth: .infinity, alignment: .leading)
        }
        Button(Phrase.noticeContinue.text) { onContinue() }
          .buttonStyle(.borderedProminent)
        if let onDecline {
          Button(Phrase.noticeNotNow.text) { onDecline() }
        }
      }
      .padding(24)
      .frame(maxWidth: 480)
    }
  }

  #if DEBUG
    struct EmotionNoticeViewPreviews: PreviewProvider {
      static var previews: some View {
        EmotionNoticeView(
          purpose: "Turns the page when you smile.", onContinue: {}, onDecline: {}
        )
        .previewDisplayName("Notice")
        EmotionNoticeView(
          details: ["Your readings are kept for a week, on this device."], onContinue: {}
        )
        .environment(\.dynamicTypeSize, .accessibility3)
        .previewDisplayName("Large text")
      }
    }
  #endif
#endif
