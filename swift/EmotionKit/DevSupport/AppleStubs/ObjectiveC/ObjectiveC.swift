import Foundation

// What needs the Objective-C runtime, which Foundation on Linux lacks.

public struct Selector: Hashable, Sendable {
  let name: String
}

public func NSSelectorFromString(_ name: String) -> Selector { Selector(name: name) }

extension NSObject {
  public class func perform(_ selector: Selector) -> Unmanaged<AnyObject>! { nil }
}
