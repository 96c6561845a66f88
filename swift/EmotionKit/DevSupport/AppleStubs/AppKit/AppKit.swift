@_exported import Foundation
@_exported import QuartzCore

// Only compiled, never run: the tests' stand-in device is UIKit's.

@MainActor open class NSView: NSObject {
  public override init() {}
  public var wantsLayer = false
  public var layer: CALayer?
}

public class NSImage: NSObject {
  public init?(data: Data) {}
}

@available(*, unavailable)
extension NSImage: Sendable {}
