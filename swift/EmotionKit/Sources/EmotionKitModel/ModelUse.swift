import EmotionKitCore
import Foundation

/// What was recorded about what the bundled model is for: `use.json`, beside the model.
package struct ModelUse: Hashable, Sendable {
  /// The intended purpose, in the words and the language of whoever recorded it.
  package let purpose: String?
  /// True for a model that nobody is to use for anything.
  package let isDemo: Bool

  package init(purpose: String?, isDemo: Bool) {
    self.purpose = purpose
    self.isDemo = isDemo
  }

  /// Reads the record of the bundled model; nil when there is none, or one of another version.
  package static func bundled() -> ModelUse? {
    guard let model = try? EmotionModelBundle.locate() else { return nil }
    return read(in: model.deletingLastPathComponent())
  }

  /// Reads the record in a model's folder.
  package static func read(in folder: URL) -> ModelUse? {
    guard let data = try? Data(contentsOf: folder.appendingPathComponent("use.json")),
      let record = try? JSONDecoder().decode(Record.self, from: data),
      record.schema == "emotionkit.use", record.version == 1
    else { return nil }
    return ModelUse(purpose: record.purpose?.text, isDemo: record.demo)
  }

  private struct Record: Decodable {
    struct Term: Decodable { let text: String }
    let schema: String
    let version: Int
    let demo: Bool
    let purpose: Term?
  }
}
