public struct OSLogPrivacy: Sendable {
  public static var `public`: OSLogPrivacy { .init() }
  public static var `private`: OSLogPrivacy { .init() }
}

public struct OSLogInterpolation: StringInterpolationProtocol {
  public init(literalCapacity: Int, interpolationCount: Int) {}
  public mutating func appendLiteral(_ literal: String) {}
  public mutating func appendInterpolation(
    _ text: @autoclosure @escaping () -> String, privacy: OSLogPrivacy = .private
  ) {}
}

/// Not a `String`: only what is written in the call.
public struct OSLogMessage: ExpressibleByStringInterpolation {
  public init(stringLiteral: String) {}
  public init(stringInterpolation: OSLogInterpolation) {}
}

@available(macOS 11.0, iOS 14.0, *)
public struct Logger: @unchecked Sendable {
  public init(subsystem: String, category: String) {}
  public func warning(_ message: OSLogMessage) {}
}
