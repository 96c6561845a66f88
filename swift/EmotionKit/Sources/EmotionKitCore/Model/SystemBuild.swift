import Foundation

/// The operating system's version and build: what a compiled model is tied to.
package enum SystemBuild {
  /// For instance `18.1.0-22B83`; without a build where the system does not tell one. Never localised,
  /// as `operatingSystemVersionString` is.
  package static let current: String = {
    let version = ProcessInfo.processInfo.operatingSystemVersion
    let numbers = "\(version.majorVersion).\(version.minorVersion).\(version.patchVersion)"
    return build.map { "\(numbers)-\($0)" } ?? numbers
  }()

  /// The device's model, for instance `iPhone16,1` or `Mac15,3`; `unknown` where the system does not
  /// tell.
  package static let device: String = {
    #if os(macOS) || targetEnvironment(macCatalyst)
      text("hw.model") ?? "unknown"
    #else
      text("hw.machine") ?? "unknown"
    #endif
  }()

  private static var build: String? { text("kern.osversion") }

  private static func text(_ name: String) -> String? {
    #if canImport(Darwin)
      var size = 0
      guard sysctlbyname(name, nil, &size, nil, 0) == 0, size > 1 else { return nil }
      var bytes = [UInt8](repeating: 0, count: size)
      guard sysctlbyname(name, &bytes, &size, nil, 0) == 0 else { return nil }
      return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    #else
      return nil
    #endif
  }
}
