import EmotionKitCore
import Foundation

/// The model that is shipped inside this package.
///
/// SwiftPM's `Bundle.module` ends the process when its resource bundle is missing, which happens in
/// hand-assembled apps. This looks for the bundle in the same places and reports its absence.
public enum EmotionModelBundle {
  /// The resource folder that holds the model, its manifest and its golden values.
  public static let folderName = "Models"

  /// Finds the bundled model.
  ///
  /// - Throws: ``EmotionKitError/modelNotFound(searched:)`` when the package was built without a
  ///   model, or what ``ModelLocator/locate()`` throws for a damaged one.
  public static func locate() throws(EmotionKitError) -> LocatedModel {
    try ModelLocator(directories: modelDirectories()).locate()
  }

  /// The `Models` folders that exist, or the places where they were expected when none does.
  public static func modelDirectories() -> [URL] {
    let places = resourceBundles().flatMap { bundle in
      // A flat bundle on iOS and Linux, a deep one on macOS; then one that was merged into the app.
      [bundle, bundle.appendingPathComponent("Contents/Resources")]
    }
    let folders = (places + searchRoots()).map { $0.appendingPathComponent(folderName) }
    let existing = folders.filter { folder in
      (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) != nil
    }
    return existing.isEmpty ? folders : existing
  }

  private static func resourceBundles() -> [URL] {
    searchRoots().flatMap { root -> [URL] in
      let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
      // "<package>_<target>.bundle" on Apple systems, ".resources" elsewhere; the package part
      // depends on who vendored it.
      return names.sorted().filter { name in
        name.hasSuffix("_EmotionKitModel.bundle") || name.hasSuffix("_EmotionKitModel.resources")
      }
      .map { root.appendingPathComponent($0) }
    }
  }

  private static func searchRoots() -> [URL] {
    let own = Bundle(for: BundleToken.self)
    var roots = [Bundle.main.resourceURL, Bundle.main.bundleURL, own.resourceURL, own.bundleURL]
      .compactMap { $0 }
    // Tests and previews run from a bundle inside the products folder, up to three levels deep.
    var parent = own.bundleURL
    for _ in 0..<3 {
      parent.deleteLastPathComponent()
      roots.append(parent)
    }
    var seen: Set<String> = []
    return roots.filter { seen.insert($0.standardizedFileURL.path).inserted }
  }
}

private final class BundleToken {}
