import Foundation

/// The few things EmotionKit does to the disk, in one place, so that a test can fill the disk up.
package protocol ModelStorage: Sendable {
  /// Creates a folder and those above it; an existing one is fine.
  func createFolder(_ url: URL) throws
  /// Renames a file or folder. Fails when something is at `target` already.
  func move(_ url: URL, to target: URL) throws
  /// Removes a file or folder with all in it.
  func remove(_ url: URL) throws
  /// The names in a folder, in any order.
  func names(in folder: URL) throws -> [String]
  /// A small file's content.
  func read(_ url: URL) throws -> Data
  /// Writes a small file, whole or not at all.
  func write(_ data: Data, to url: URL) throws
  /// Adds to the end of a file, which is created when needed.
  func append(_ data: Data, to url: URL) throws
}

/// The real disk.
package struct DiskStorage: ModelStorage {
  package init() {}

  package func createFolder(_ url: URL) throws {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  package func move(_ url: URL, to target: URL) throws {
    try FileManager.default.moveItem(at: url, to: target)
  }

  package func remove(_ url: URL) throws {
    try FileManager.default.removeItem(at: url)
  }

  package func names(in folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path)
  }

  package func read(_ url: URL) throws -> Data {
    try Data(contentsOf: url)
  }

  package func write(_ data: Data, to url: URL) throws {
    try data.write(to: url, options: .atomic)
  }

  package func append(_ data: Data, to url: URL) throws {
    if url.isExistingDirectory == nil { try Data().write(to: url) }
    let handle = try FileHandle(forWritingTo: url)
    defer { try? handle.close() }
    try handle.seekToEnd()
    try handle.write(contentsOf: data)
  }
}

extension ModelStorage {
  /// Keeps regenerable files out of the device's backups, where Apple does not want them.
  func excludeFromBackup(_ url: URL) {
    #if canImport(Darwin)
      var url = url
      var values = URLResourceValues()
      values.isExcludedFromBackup = true
      try? url.setResourceValues(values)
    #endif
  }
}

/// Does something to the disk and gives its failure a name.
///
/// - Throws: ``EmotionKitError/storageFailed(_:reason:)`` about `url`.
func storing<Output>(at url: URL, _ work: () throws -> Output) throws(EmotionKitError) -> Output {
  do {
    return try work()
  } catch {
    throw .storageFailed(url, reason: storageReason(error))
  }
}

/// Says plainly when the disk is full; Foundation wraps that error in several ways.
func storageReason(_ error: any Error) -> String {
  isOutOfSpace(error) ? "there is no space left" : error.localizedDescription
}

/// True when a full disk or an exhausted quota is at the bottom of an error.
func isOutOfSpace(_ error: any Error) -> Bool {
  let error = error as NSError
  if error.domain == NSCocoaErrorDomain, error.code == CocoaError.fileWriteOutOfSpace.rawValue {
    return true
  }
  if error.domain == NSPOSIXErrorDomain, [ENOSPC, EDQUOT].contains(Int32(error.code)) {
    return true
  }
  return (error.userInfo[NSUnderlyingErrorKey] as? any Error).map(isOutOfSpace) ?? false
}
