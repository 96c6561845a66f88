import EmotionKitCore
import Foundation
import Testing

@Suite struct ModelManifestTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  /// Writes a model of two files and a manifest that fits it.
  private func writeModel() throws -> ModelManifest {
    let contents = [("Data/weights/weight.bin", "weights"), ("Manifest.json", "{}")]
    for (path, text) in contents { try folder.write(text, to: "EmotionNet.mlpackage/\(path)") }
    let lines = contents.map { "\(SHA256.hex($0.1))  \($0.0)\n" }.joined()
    let files = contents.map {
      #"{"path": "\#($0.0)", "bytes": \#($0.1.utf8.count), "sha256": "\#(SHA256.hex($0.1))"}"#
    }
    let manifest = ManifestJSON.text(
      file: "EmotionNet.mlpackage", bytes: 9, sha256: SHA256.hex(lines), files: files)
    try folder.write(manifest, to: ModelManifest.fileName)
    return try ModelManifest.read(in: folder.url)
  }

  @Test func aFreshModelIsAccepted() throws {
    let manifest = try writeModel()
    #expect(manifest.parity.verdict == "PASS" && manifest.parity.maximumDifference == 0.003)
    try manifest.verifyFiles(in: folder.url)
    let package = folder.url.appendingPathComponent("EmotionNet.mlpackage")
    #expect(try ModelManifest.contentHash(of: package) == manifest.model.sha256)
  }

  @Test(arguments: [
    ("Data/weights/weight.bin", "Weights"), ("Manifest.json", ""), ("extra.bin", "surprise"),
  ])
  func aChangedOrAddedFileIsNamed(path: String, text: String) throws {
    let manifest = try writeModel()
    try folder.write(text, to: "EmotionNet.mlpackage/\(path)")
    expectChange(at: path) { try manifest.verifyFiles(in: folder.url) }
  }

  @Test func aMissingFileIsNamed() throws {
    let manifest = try writeModel()
    try FileManager.default.removeItem(
      at: folder.url.appendingPathComponent("EmotionNet.mlpackage/Manifest.json"))
    expectChange(at: "Manifest.json") { try manifest.verifyFiles(in: folder.url) }
    try FileManager.default.removeItem(
      at: folder.url.appendingPathComponent("EmotionNet.mlpackage"))
    expectChange(at: "EmotionNet.mlpackage") { try manifest.verifyFiles(in: folder.url) }
  }

  @Test func aWrongTreeHashIsNoticed() throws {
    let manifest = try writeModel()
    let text = try String(
      contentsOf: folder.url.appendingPathComponent(ModelManifest.fileName), encoding: .utf8)
    try folder.write(
      text.replacingOccurrences(of: manifest.model.sha256, with: SHA256.hex("other")),
      to: ModelManifest.fileName)
    let changed = try ModelManifest.read(in: folder.url)
    expectChange(at: "EmotionNet.mlpackage") { try changed.verifyFiles(in: folder.url) }
  }

  @Test(arguments: [
    ("emotionkit.manifest", "emotionkit.other"),
    ("\"version\": 1,\n \"model\"", "\"version\": 7,\n \"model\""),
    ("\"images\": 44", "\"images\": \"many\""), ("0.3", "9"),
  ])
  func aManifestThatDoesNotFitIsRefused(old: String, new: String) throws {
    _ = try writeModel()
    let url = folder.url.appendingPathComponent(ModelManifest.fileName)
    let text = try String(contentsOf: url, encoding: .utf8)
    let changed = text.replacingOccurrences(of: old, with: new)
    #expect(changed != text)
    #expect(throws: EmotionKitError.self) { try ModelManifest.parse(Data(changed.utf8)) }
  }

  @Test func aFolderWithoutAManifestSaysSo() throws {
    let empty = try TemporaryFolder()
    do {
      _ = try ModelManifest.read(in: empty.url)
      Issue.record("read a manifest that is not there")
    } catch {
      guard case .modelDamaged(_, let reason) = error else { throw error }
      #expect(reason.contains(ModelManifest.fileName))
    }
  }

  @Test func aSingleFileIsHashedAsItIs() throws {
    let file = try folder.write("model", to: "EmotionNet.mlmodel")
    #expect(try ModelManifest.contentHash(of: file) == SHA256.hex("model"))
  }

  private func expectChange(at path: String, _ verify: () throws -> Void) {
    do {
      try verify()
      Issue.record("did not notice \(path)")
    } catch EmotionKitError.modelFileChanged(path, _, _) {
    } catch {
      Issue.record("\(error)")
    }
  }
}
