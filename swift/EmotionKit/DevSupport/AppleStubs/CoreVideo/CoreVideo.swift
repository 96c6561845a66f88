@_exported import Foundation

public class CVBuffer {
  let width: Int
  let height: Int

  /// 32 bits a pixel, not cleared: Core Video promises nothing about fresh memory.
  let bytes: UnsafeMutableRawBufferPointer
  var isLocked = false

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
    bytes = .allocate(byteCount: (width * 4 + 64) * height, alignment: 16)
    if width * height <= 1 << 16 { for index in bytes.indices { bytes[index] = 0xAA } }
  }

  deinit { bytes.deallocate() }

  /// Rows are longer than their pixels, as Apple's may be.
  var stride: Int { width * 4 + 64 }

  /// Red, green, blue of every pixel of a BGRA buffer.
  public var stubRGB: [UInt8] {
    (0..<width * height).flatMap { position in
      let start = position / width * stride + position % width * 4
      return [bytes[start + 2], bytes[start + 1], bytes[start]]
    }
  }
}

// As strict as Apple's: pixel buffers may not cross tasks.
@available(*, unavailable)
extension CVBuffer: Sendable {}

public typealias CVImageBuffer = CVBuffer
public typealias CVPixelBuffer = CVBuffer
public typealias CVReturn = Int32
public typealias OSType = UInt32
public typealias CFString = String
public typealias CFData = Data
public typealias CFURL = URL
public typealias CFDictionary = NSDictionary
public class CFAllocator {}

nonisolated(unsafe) public let kCFAllocatorDefault: CFAllocator? = nil
public let kCVReturnSuccess: CVReturn = 0
public let kCVPixelFormatType_32BGRA: OSType = 0x4247_5241
public let kCVPixelFormatType_420YpCbCr8BiPlanarFullRange: OSType = 0x3432_3066
public let kCVPixelBufferPixelFormatTypeKey: CFString = "PixelFormatType"

public func CVPixelBufferGetWidth(_ buffer: CVPixelBuffer) -> Int { buffer.width }
public func CVPixelBufferGetHeight(_ buffer: CVPixelBuffer) -> Int { buffer.height }

public struct CVPixelBufferLockFlags: OptionSet, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
}

@discardableResult
public func CVPixelBufferLockBaseAddress(
  _ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags
) -> CVReturn {
  buffer.isLocked = true
  return kCVReturnSuccess
}

@discardableResult
public func CVPixelBufferUnlockBaseAddress(
  _ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags
) -> CVReturn {
  buffer.isLocked = false
  return kCVReturnSuccess
}

/// Nil unless the buffer is locked.
public func CVPixelBufferGetBaseAddress(_ buffer: CVPixelBuffer) -> UnsafeMutableRawPointer? {
  buffer.isLocked ? buffer.bytes.baseAddress : nil
}

public func CVPixelBufferGetBytesPerRow(_ buffer: CVPixelBuffer) -> Int { buffer.stride }

public func CVPixelBufferCreate(
  _ allocator: CFAllocator?, _ width: Int, _ height: Int, _ format: OSType,
  _ attributes: CFDictionary?, _ out: UnsafeMutablePointer<CVPixelBuffer?>
) -> CVReturn {
  out.pointee = CVBuffer(width: width, height: height)
  return kCVReturnSuccess
}

public struct CGAffineTransform: Hashable, Sendable {
  public var a, b, c, d, tx, ty: CGFloat
  public init(a: CGFloat, b: CGFloat, c: CGFloat, d: CGFloat, tx: CGFloat, ty: CGFloat) {
    (self.a, self.b, self.c, self.d, self.tx, self.ty) = (a, b, c, d, tx, ty)
  }
  public init(translationX tx: CGFloat, y ty: CGFloat) {
    self.init(a: 1, b: 0, c: 0, d: 1, tx: tx, ty: ty)
  }
}
