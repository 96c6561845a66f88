import EmotionKit
import EmotionKitModel
import Foundation

/// Everything that EmotionKitUI says to people, by its English text, which is the key in each
/// `Localizable.strings`. Words in braces are filled in.
///
/// An app changes a text, or adds a language, with a file `EmotionKit.strings` of its own, with the same
/// keys. Errors are for developers and stay English.
package enum Phrase: String, CaseIterable {
  case anger, disgust, fear, happiness, sadness, surprise, neutral, contempt
  case uncertain
  case caption = "{expression} {percent} %"
  case spokenExpression = "{expression}, {percent} percent"
  case spokenFace = "Face {number}: {answer}"
  case probabilities = "Probabilities"
  case cameraPicture = "Camera picture"

  case loading = "Loading…"
  case demo = "Demo model: it has only seen drawn faces"
  case inBackground = "Paused in the background"
  case usedElsewhere = "Another app is using the camera"
  case sharedScreen = "No camera while apps share the screen"
  case cameraTooHot = "The camera is off until the device is cooler"
  case cameraPaused = "The camera is paused"
  case warm = "Slower, because the device is warm"
  case tooHot = "Paused until the device is cooler"
  case notAllowed = "The camera is not allowed"
  case howToAllow = "Allow it in Settings to see expressions here. Pictures stay on this device."
  case openSettings = "Open Settings"
  case tryAgain = "Try again"

  case noticeTitle = "This app reads facial expressions"
  case noticeWhat =
    "An AI system looks at the pictures of the camera, or at pictures you choose, and estimates which expression a face shows."
  case noticePurpose = "What it is for: {purpose}"
  case noticeDevice =
    "The pictures are analysed on this device. They are neither kept nor sent, and nobody is recognised."
  case noticeMeaning =
    "An expression is not a feeling. The estimate can be wrong, and it is wrong more often for some people than for others."
  case noticeChoice =
    "You can say no, and change your mind at any time. Tell other people before the camera sees them."
  case noticeContinue = "Continue"
  case noticeNotNow = "Not now"
}

extension Phrase {
  /// The text in the language of the app.
  package var text: String { Self.texts[self] ?? rawValue }

  /// The text in the language of the app, with its words filled in.
  package func text(_ words: KeyValuePairs<String, String>) -> String {
    Self.fill(text, words)
  }

  /// What the model calls an expression, in the language of the app where that is known.
  package static func name(of emotion: Emotion) -> String {
    Emotion.known.contains(emotion)
      ? Phrase(rawValue: emotion.rawValue)?.text ?? emotion.rawValue : emotion.rawValue
  }

  /// Fills in words. What is filled in is not looked at again, whatever it contains.
  static func fill(_ text: String, _ words: KeyValuePairs<String, String>) -> String {
    var rest = text[...]
    var filled = ""
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      let name = rest[rest.index(after: open)..<close]
      filled += rest[..<open]
      filled += words.first { $0.key == name }?.value ?? String(rest[open...close])
      rest = rest[rest.index(after: close)...]
    }
    return filled + rest
  }

  /// Looked up once: captions change with every frame, and the language only with a new launch.
  private static let texts = texts(app: .main, own: ownBundle())

  /// - Parameters:
  ///   - app: where `EmotionKit.strings` counts first.
  ///   - own: this package's, nil when it is missing.
  static func texts(app: Bundle, own: Bundle?) -> [Phrase: String] {
    Dictionary(
      uniqueKeysWithValues: allCases.map { phrase in
        let key = phrase.rawValue
        let packaged = own?.localizedString(forKey: key, value: key, table: nil) ?? key
        return (phrase, app.localizedString(forKey: key, value: packaged, table: "EmotionKit"))
      })
  }

  /// The resources beside the app, which `Bundle.module` would end the process for if they lack.
  static func ownBundle() -> Bundle? {
    EmotionModelBundle.resourceBundles(of: "EmotionKitUI").lazy.compactMap(Bundle.init(url:)).first
  }
}
