import Foundation

@available(macOS 10.15, iOS 13.0, *)
public struct SHA256Digest: Sequence, Hashable, Sendable {
  public func makeIterator() -> Array<UInt8>.Iterator { [].makeIterator() }
}

@available(macOS 10.15, iOS 13.0, *)
public struct SHA256: Sendable {
  public init() {}
  public mutating func update(bufferPointer: UnsafeRawBufferPointer) {}
  public mutating func update(data: some DataProtocol) {}
  public func finalize() -> SHA256Digest { SHA256Digest() }
}
