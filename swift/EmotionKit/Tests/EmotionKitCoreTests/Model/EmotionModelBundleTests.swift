import EmotionKitCore
import EmotionKitModel
import Foundation
import Testing

@Suite struct EmotionModelBundleTests {
  private let folder: TemporaryFolder
  private let bundle = "EmotionKit_EmotionKitModel.\(EmotionModelBundle.bundleExtension)"

  init() throws {
    folder = try TemporaryFolder()
  }

  private func locate(override: String? = nil) throws -> LocatedModel {
    try ModelLocator(
      directories: EmotionModelBundle.modelDirectories(roots: [folder.url], override: override)
    ).locate()
  }

  @Test func withoutABundleTheErrorNamesEveryPlaceThatWasLookedAt() {
    do {
      _ = try locate()
      Issue.record("found a model in an empty folder")
    } catch EmotionKitError.modelNotFound(let searched) {
      let root = folder.url.path
      #expect(
        searched.map(\.path) == [
          "\(root)/\(bundle)/Models", "\(root)/\(bundle)/Contents/Resources/Models",
          "\(root)/Models", root,
        ])
    } catch {
      Issue.record("\(error)")
    }
  }

  /// A flat bundle, a deep one, one of a package of another name, none, and a model of the app's.
  @Test(arguments: [
    "EmotionKit_EmotionKitModel.BUNDLE/Models", "Vendored_EmotionKitModel.BUNDLE/Models",
    "EmotionKit_EmotionKitModel.BUNDLE/Contents/Resources/Models", "Models", ".",
  ])
  func theModelIsFoundIn(place: String) throws {
    let place = place.replacingOccurrences(of: "BUNDLE", with: EmotionModelBundle.bundleExtension)
    try folder.write("model", to: "\(place)/EmotionNet.mlmodel")
    #expect(try locate().kind == .mlmodel)
  }

  @Test func whatXcodesPreviewsSayComesFirst() throws {
    try folder.write("model", to: "\(bundle)/Models/EmotionNet.mlmodel")
    let other = try TemporaryFolder()
    try other.write("model", to: "\(bundle)/Models/EmotionNet.mlmodel")
    let named = other.url.appendingPathComponent(bundle).path
    for override in [named, other.url.path] {
      #expect(try locate(override: override).url.path.hasPrefix(other.url.path))
    }
    #expect(try locate().url.path.hasPrefix(folder.url.path))
  }
}
