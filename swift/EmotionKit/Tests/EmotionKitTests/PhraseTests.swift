import EmotionKitModel
import Foundation
import Testing

@testable import EmotionKitUI

/// What people read, in every language there is.
@Suite struct PhraseTests {
  static let languages = ["de", "en", "es", "fr", "ja", "zh-Hans"]

  private let own: Bundle

  init() throws {
    own = try #require(Phrase.ownBundle(), "the package's texts are not beside the tests")
  }

  private func file(_ language: String) throws -> URL {
    // SwiftPM's own build writes the folder's name in lower case; Xcode's does not.
    let known = own.localizations.first { $0.lowercased() == language.lowercased() }
    return try #require(
      own.url(
        forResource: "Localizable", withExtension: "strings", subdirectory: nil,
        localization: known))
  }

  private func texts(_ language: String) throws -> [String: String] {
    let file = try file(language)
    let list = try PropertyListSerialization.propertyList(
      from: Data(contentsOf: file), format: nil)
    return try #require(list as? [String: String])
  }

  private func words(in text: String) -> [String] {
    text.split(separator: "{").dropFirst().compactMap { $0.split(separator: "}").first }
      .map(String.init).sorted()
  }

  @Test func theLanguagesAreThose() {
    let there = own.localizations.map { $0.lowercased() }.sorted()
    #expect(there == Self.languages.map { $0.lowercased() })
  }

  @Test(arguments: languages) func everyPhraseIsThereWithItsWords(language: String) throws {
    let texts = try texts(language)
    #expect(Set(texts.keys) == Set(Phrase.allCases.map(\.rawValue)))
    for (english, text) in texts {
      #expect(!text.isEmpty && words(in: text) == words(in: english), "\(english)")
    }
    if language == "en" { #expect(texts.allSatisfy { $0.key == $0.value }) }
  }

  @Test(arguments: languages.filter { $0 != "en" })
  func whatPeopleAgreeToIsTranslated(language: String) throws {
    let texts = try texts(language)
    for phrase in Phrase.allCases where "\(phrase)".hasPrefix("notice") {
      #expect(texts[phrase.rawValue] != phrase.rawValue, "\(phrase)")
    }
  }

  @Test func aTextOfTheAppCountsFirstAndAMissingPackageIsEnglish() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("phrases-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data("\"Not now\" = \"Later\";\n".utf8)
      .write(to: folder.appendingPathComponent("EmotionKit.strings"))
    let german = try file("de").deletingLastPathComponent()
    let app = try #require(Bundle(url: folder))
    let packaged = try #require(Bundle(url: german))
    let texts = Phrase.texts(app: app, own: packaged)
    #expect(texts[.noticeNotNow] == "Later")
    #expect(texts[.noticeContinue] == "Fortfahren")
    #expect(Phrase.texts(app: app, own: nil)[.noticeContinue] == "Continue")
  }

  @Test func wordsAreFilledInAndNothingElse() {
    #expect(Phrase.fill("{a} {b} {", ["a": "{b}", "b": "2"]) == "{b} 2 {")
    #expect(Phrase.fill("{nobody} }", [:]) == "{nobody} }")
    #expect(Phrase.name(of: Emotion(rawValue: "uncertain")) == "uncertain")
    #expect(Phrase.name(of: Emotion(rawValue: "Try again")) == "Try again")
  }

  @Test func theNoticeSaysWhatIsRecordedAndWhatTheAppAdds() throws {
    let recorded = ModelUse(purpose: "Play.", isDemo: true)
    let notice = EmotionNotice(details: ["Kept for a week."], use: recorded)
    #expect(notice.title == "This app reads facial expressions")
    #expect(notice.paragraphs.first == Phrase.demo.text)
    #expect(notice.paragraphs.contains("What it is for: Play."))
    #expect(notice.paragraphs.suffix(2).first == "Kept for a week.")
    let own = EmotionNotice(purpose: "Games.", use: recorded)
    #expect(own.paragraphs.contains("What it is for: Games."))
    #expect(EmotionNotice(use: nil).paragraphs.count == 4)
  }

  @Test func theRecordIsReadOrLeft() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("use-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    func read(_ json: String) throws -> ModelUse? {
      try Data(json.utf8).write(to: folder.appendingPathComponent("use.json"))
      return ModelUse.read(in: folder)
    }
    #expect(ModelUse.read(in: folder) == nil)
    let rest = #""demo": false, "data": {}, "figures": []"#
    #expect(
      try read(
        #"{"schema": "emotionkit.use", "version": 1, "purpose": {"text": "Play."}, \#(rest)}"#)
        == ModelUse(purpose: "Play.", isDemo: false))
    #expect(
      try read(#"{"schema": "emotionkit.use", "version": 1, "purpose": null, \#(rest)}"#)
        == ModelUse(purpose: nil, isDemo: false))
    #expect(
      try read(#"{"schema": "emotionkit.use", "version": 2, "purpose": null, \#(rest)}"#) == nil)
    #expect(try read("no JSON") == nil)
  }
}
