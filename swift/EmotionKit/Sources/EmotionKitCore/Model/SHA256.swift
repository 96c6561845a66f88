import Foundation

#if canImport(CryptoKit)
  import CryptoKit

  /// SHA-256 by the system's own, fast implementation: ours takes seconds for a model in an unoptimised
  /// build.
  ///
  /// `package`, not `public`: an app that needs a hash should use CryptoKit.
  package struct SHA256 {
    private var hash = CryptoKit.SHA256()

    package init() {}

    /// Takes more bytes.
    ///
    /// - Complexity: O(*n*) in the number of bytes.
    package mutating func update(_ data: some Sequence<UInt8>) {
      let taken: Void? = data.withContiguousStorageIfAvailable {
        hash.update(bufferPointer: UnsafeRawBufferPointer($0))
      }
      if taken == nil { hash.update(data: Array(data)) }
    }

    /// The hash of all bytes so far, as 64 lowercase hexadecimal digits.
    package func finalize() -> String {
      hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
  }
#else
  package typealias SHA256 = PortableSHA256
#endif

extension SHA256 {
  /// The hash of a text's UTF-8 bytes.
  package static func hex(_ text: String) -> String {
    var hash = SHA256()
    hash.update(text.utf8)
    return hash.finalize()
  }

  /// The hash of a file, read in pieces of one mebibyte.
  ///
  /// - Throws: what `FileHandle` throws for a file that cannot be read.
  package static func hex(contentsOf file: URL) throws -> String {
    let handle = try FileHandle(forReadingFrom: file)
    defer { try? handle.close() }
    var hash = SHA256()
    while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty {
      hash.update(piece)
    }
    return hash.finalize()
  }
}
