import EmotionKitCore
import Foundation

/// A disk that is full at one step, and otherwise the real one.
struct FullDisk: ModelStorage {
  enum Step: Sendable {
    case createFolder, moveIn, moveUp, write, append
  }

  /// As Foundation reports it: the system's error inside one of Cocoa's.
  static var error: NSError {
    NSError(
      domain: NSCocoaErrorDomain, code: CocoaError.fileWriteUnknown.rawValue,
      userInfo: [NSUnderlyingErrorKey: NSError(domain: NSPOSIXErrorDomain, code: Int(ENOSPC))])
  }

  let failing: Step
  private let disk = DiskStorage()

  init(failing: Step) {
    self.failing = failing
  }

  private func check(_ step: Step) throws {
    if step == failing { throw Self.error }
  }

  func createFolder(_ url: URL) throws {
    try check(.createFolder)
    try disk.createFolder(url)
  }

  func move(_ url: URL, to target: URL) throws {
    try check(target.pathExtension == "partial" ? .moveIn : .moveUp)
    try disk.move(url, to: target)
  }

  func remove(_ url: URL) throws { try disk.remove(url) }

  func names(in folder: URL) throws -> [String] { try disk.names(in: folder) }

  func read(_ url: URL) throws -> Data { try disk.read(url) }

  func write(_ data: Data, to url: URL) throws {
    try check(.write)
    try disk.write(data, to: url)
  }

  func append(_ data: Data, to url: URL) throws {
    try check(.append)
    try disk.append(data, to: url)
  }
}
