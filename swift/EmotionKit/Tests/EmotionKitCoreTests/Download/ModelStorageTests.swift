import Foundation
import Testing

@testable import EmotionKitCore

@Suite struct ModelStorageTests {
  @Test func aFullDiskIsRecognisedHoweverItIsWrapped() {
    let posix = NSError(domain: NSPOSIXErrorDomain, code: Int(ENOSPC))
    let quota = NSError(domain: NSPOSIXErrorDomain, code: Int(EDQUOT))
    let cocoa = NSError(
      domain: NSCocoaErrorDomain, code: CocoaError.fileWriteOutOfSpace.rawValue)
    let nested = NSError(domain: "Other", code: 1, userInfo: [NSUnderlyingErrorKey: posix])
    for error in [posix, quota, cocoa, nested] { #expect(isOutOfSpace(error)) }
    #expect(!isOutOfSpace(NSError(domain: NSPOSIXErrorDomain, code: Int(EACCES))))
    #expect(storageReason(nested) == "there is no space left")
  }

  #if os(Linux)
    /// The kernel's own full disk.
    @Test func theRealErrorOfAFullDiskIsRecognised() throws {
      do {
        try DiskStorage().append(Data("x".utf8), to: URL(fileURLWithPath: "/dev/full"))
        Issue.record("wrote to /dev/full")
      } catch {
        #expect(storageReason(error) == "there is no space left", "\(error)")
      }
    }
  #endif

  @Test func anythingElseKeepsItsText() {
    let missing = URL(fileURLWithPath: "/no/such/folder/file")
    do {
      try storing(at: missing) { try DiskStorage().write(Data(), to: missing) }
      Issue.record("wrote into a folder that is not there")
    } catch {
      guard case .storageFailed(missing, let reason) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(!reason.isEmpty && reason != "there is no space left")
    }
  }

  @Test func piecesAreAppendedInOrder() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("new")
    try DiskStorage().append(Data("ab".utf8), to: file)
    try DiskStorage().append(Data("cd".utf8), to: file)
    #expect(try DiskStorage().read(file) == Data("abcd".utf8))
  }
}
