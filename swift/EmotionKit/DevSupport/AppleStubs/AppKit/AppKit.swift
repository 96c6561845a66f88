@_exported import Foundation
@_exported import ImageIO
@_exported import QuartzCore

// Only compiled, never run: the tests' stand-in device is UIKit's.

@available(macCatalyst, unavailable)
@MainActor open class NSView: NSObject {
  public override init() {}
  public var wantsLayer = false
  public var layer: CALayer?
}

@available(macCatalyst, unavailable)
public class NSImage: NSObject {
  public init?(data: Data) {}
  public var size = CGSize.zero
  public var representations: [NSImageRep] = []
  public func cgImage(
    forProposedRect rectangle: UnsafeMutablePointer<CGRect>?, context: NSGraphicsContext?,
    hints: [NSImageRep.HintKey: Any]?
  ) -> CGImage? { nil }
}

@available(macCatalyst, unavailable)
public class NSGraphicsContext: NSObject {}

@available(macCatalyst, unavailable)
public class NSImageRep: NSObject {
  public struct HintKey: RawRepresentable, Hashable, Sendable {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
  }
  public var pixelsWide = 0
  public var pixelsHigh = 0
}

@available(*, unavailable)
extension NSImage: Sendable {}
