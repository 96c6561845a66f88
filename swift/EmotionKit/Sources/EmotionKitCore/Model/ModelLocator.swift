import Foundation

/// A model file that exists and looks complete.
package struct LocatedModel: Hashable, Sendable {
  /// The three forms a Core ML model comes in.
  package enum Kind: String, CaseIterable, Hashable, Sendable {
    /// Compiled by Xcode or on a device: loads at once.
    case mlmodelc
    /// An uncompiled package.
    case mlpackage
    /// An uncompiled single file.
    case mlmodel

    /// The form that a file name promises; nil for anything else.
    init?(_ url: URL) { self.init(rawValue: url.pathExtension.lowercased()) }
  }

  /// The file or folder.
  package let url: URL
  /// Its form.
  package let kind: Kind

  /// Where the manifest would lie.
  package var directory: URL { url.deletingLastPathComponent() }
}

/// Finds a model without ever ending the app.
///
/// SwiftPM's generated `Bundle.module` calls `fatalError` when its bundle is missing; this type is
/// given folders to look in and throws an error that lists them.
package struct ModelLocator: Sendable {
  /// The model's name without extension.
  package let name: String
  /// Folders to look in, best first.
  package let directories: [URL]

  /// Creates a locator.
  package init(name: String = "EmotionNet", directories: [URL]) {
    self.name = name
    self.directories = directories
  }

  /// Finds the model: a compiled one before a package before a single file, in the first folder
  /// that has any.
  ///
  /// - Throws: ``EmotionKitError/modelNotFound(searched:)``, or what ``inspect(_:)`` throws for a
  ///   file that is there but unusable: a damaged model is reported, never passed over.
  package func locate() throws(EmotionKitError) -> LocatedModel {
    for directory in directories {
      for kind in LocatedModel.Kind.allCases {
        let url = directory.appendingPathComponent("\(name).\(kind.rawValue)")
        if url.isExistingDirectory != nil { return try Self.inspect(url) }
      }
    }
    throw .modelNotFound(searched: directories)
  }

  /// Checks a model at a place the app chose.
  ///
  /// - Throws: ``EmotionKitError/modelNotFound(searched:)``,
  ///   ``EmotionKitError/unsupportedModelFile(_:)``, ``EmotionKitError/modelIsLFSPointer(_:)`` or
  ///   ``EmotionKitError/modelDamaged(_:reason:)``.
  package static func inspect(_ url: URL) throws(EmotionKitError) -> LocatedModel {
    guard let kind = LocatedModel.Kind(url) else {
      throw .unsupportedModelFile(url)
    }
    guard let isFolder = url.isExistingDirectory else { throw .modelNotFound(searched: [url]) }
    // Checked before the shape: Git LFS leaves a small text where a folder's file should be.
    if let pointer = lfsPointer(at: url, isFolder: isFolder) { throw .modelIsLFSPointer(pointer) }
    guard isFolder == (kind != .mlmodel) else {
      throw .modelDamaged(url, reason: isFolder ? "it is a folder" : "it is not a folder")
    }
    let required =
      switch kind {
      case .mlmodelc: ["coremldata.bin"]
      case .mlpackage: ["Manifest.json", "Data"]
      case .mlmodel: [String]()
      }
    for part in required where url.appendingPathComponent(part).isExistingDirectory == nil {
      throw .modelDamaged(url, reason: "\(part) is missing")
    }
    return LocatedModel(url: url, kind: kind)
  }

  private static func lfsPointer(at url: URL, isFolder: Bool) -> URL? {
    guard isFolder else { return isLFSPointer(url) ? url : nil }
    let paths = FileManager.default.enumerator(atPath: url.path)?.compactMap { $0 as? String } ?? []
    return paths.lazy.map(url.appendingPathComponent).first(where: isLFSPointer)
  }

  private static func isLFSPointer(_ url: URL) -> Bool {
    let marker = Data("version https://git-lfs".utf8)
    guard url.isExistingDirectory == false, let handle = try? FileHandle(forReadingFrom: url) else {
      return false
    }
    defer { try? handle.close() }
    return (try? handle.read(upToCount: marker.count)) == marker
  }
}
