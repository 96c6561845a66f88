import EmotionKitCore
import Foundation

/// The model that is shipped inside this package.
///
/// SwiftPM's `Bundle.module` ends the process when its resource bundle is missing, which happens in
/// hand-assembled apps. This looks for the bundle in the same places, and for the model without a
/// bundle, and reports its absence.
public enum EmotionModelBundle {
  /// The resource folder that holds the model, its manifest and its golden values.
  package static let folderName = "Models"

  /// Finds the bundled model's file or folder; its `manifest.json` lies beside it.
  ///
  /// - Throws: ``EmotionKitError/modelNotFound(searched:)`` with every place that was looked at,
  ///   ``EmotionKitError/modelIsLFSPointer(_:)`` or ``EmotionKitError/modelDamaged(_:reason:)``.
  public static func locate() throws(EmotionKitError) -> URL {
    try ModelLocator(directories: modelDirectories()).locate().url
  }

  /// Finds the bundled model and hashes every file of it against its manifest, which takes some
  /// milliseconds a megabyte: for an app's own tests, so that a build that lost or changed a file
  /// fails there.
  ///
  /// - Returns: what ``locate()`` returns.
  /// - Throws: what ``locate()`` throws, or
  ///   ``EmotionKitError/modelFileChanged(path:expected:found:)``.
  @discardableResult
  public static func verify() throws(EmotionKitError) -> URL {
    let model = try locate()
    let folder = model.deletingLastPathComponent()
    let manifest = try ModelManifest.read(in: folder)
    try manifest.verifyFiles(in: folder)
    try manifest.verifyCanary(in: folder)
    return model
  }

  /// The places where the model is looked for, best first, whether they exist or not.
  package static func modelDirectories() -> [URL] {
    modelDirectories(
      roots: searchRoots(), override: ProcessInfo.processInfo.environment[overrideVariable])
  }

  /// Xcode's previews run from somewhere else and say here where the resource bundle lies.
  package static let overrideVariable = "PACKAGE_RESOURCE_BUNDLE_PATH"

  /// - Parameters:
  ///   - roots: folders that may hold a resource bundle, a `Models` folder, or the model itself.
  ///   - override: a resource bundle, or a folder with one, to look at before.
  package static func modelDirectories(roots: [URL], override: String?) -> [URL] {
    let preferred = override.map { [URL(fileURLWithPath: $0)] } ?? []
    let bundles =
      preferred + (preferred + roots).flatMap { resourceBundles(of: "EmotionKitModel", in: $0) }
    let places = bundles.flatMap { bundle in
      // A flat bundle on iOS and Linux, a deep one on macOS.
      [bundle, bundle.appendingPathComponent("Contents/Resources")]
    }
    let folders = (places + roots).map { $0.appendingPathComponent(folderName) }
    // Last the roots themselves: Xcode compiles a model that was dragged into the app to there.
    var seen: Set<String> = []
    return (folders + roots).filter { seen.insert($0.standardizedFileURL.path).inserted }
  }

  /// Where the resource bundle of a target of this package may lie, best first.
  package static func resourceBundles(of target: String) -> [URL] {
    let override = ProcessInfo.processInfo.environment[overrideVariable]
    let roots = (override.map { [URL(fileURLWithPath: $0)] } ?? []) + searchRoots()
    return roots.flatMap { resourceBundles(of: target, in: $0) }
  }

  /// `<package>_<target>.bundle` on Apple systems, `.resources` elsewhere. The package part depends
  /// on who vendored it; when there is none, the usual name, so that an error can say what is missing.
  private static func resourceBundles(of target: String, in root: URL) -> [URL] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
    let found = names.sorted().filter { $0.hasSuffix("_\(target).\(bundleExtension)") }
    return (found.isEmpty ? ["EmotionKit_\(target).\(bundleExtension)"] : found)
      .map(root.appendingPathComponent)
  }

  #if canImport(Darwin)
    package static let bundleExtension = "bundle"
  #else
    package static let bundleExtension = "resources"
  #endif

  private static func searchRoots() -> [URL] {
    let own = Bundle(for: BundleToken.self)
    var roots = [Bundle.main.resourceURL, Bundle.main.bundleURL, own.resourceURL, own.bundleURL]
      .compactMap { $0 }
    // Tests and previews run from a bundle or a framework that lies beside the resource bundle, or
    // one folder further down. Anything else above an app is not the app's and is left alone.
    if ["xctest", "framework"].contains(own.bundleURL.pathExtension) {
      let parent = own.bundleURL.deletingLastPathComponent()
      roots += [parent, parent.deletingLastPathComponent()]
    }
    return roots
  }
}

private final class BundleToken {}
