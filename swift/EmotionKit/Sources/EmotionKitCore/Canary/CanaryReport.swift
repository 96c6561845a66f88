import Foundation

/// What follows when a compute unit answers the model's canary wrongly: a few drawn faces in the
/// package, whose answers are known.
public enum CanaryPolicy: String, CaseIterable, Hashable, Sendable {
  /// The next unit is tried; when none passes, loading throws
  /// ``EmotionKitError/canaryFailed(_:)``. The default.
  case enforced
  /// The next unit is tried; when none passes, the one that is least wrong is used, and the report
  /// says so.
  case reported
  /// No unit is checked.
  case off
}

/// What the compute units of this device answered to the model's canary.
///
/// It names no person and no app; whether it leaves the device is the app's decision.
public struct CanaryReport: Codable, Hashable, Sendable {
  /// About one choice of compute units.
  public struct Verdict: Codable, Hashable, Sendable {
    /// What was checked.
    public let units: ComputeUnits
    /// Whether every answer was within the limits.
    public let passed: Bool
    /// What was wrong; nil when it passed.
    public let reason: String?
    /// Largest difference of a probability from the checkpoint's; nil when an answer was no
    /// distribution, or none came.
    public let maximumDifference: Double?
    /// How long the network took for all faces.
    public let milliseconds: Double
    /// True for a verdict of an earlier launch on the same device and system build.
    public internal(set) var isRemembered = false
  }

  /// SHA-256 of the model's files.
  public let model: String
  /// The operating system's version and build.
  public let system: String
  /// The device's model, for instance `iPhone16,1`.
  public let device: String
  /// What the network was put on.
  public let chosen: ComputeUnits
  /// In the order in which they were tried.
  public let verdicts: [Verdict]

  /// False when nothing passed, and the app accepts that.
  public var passed: Bool { verdicts.contains { $0.units == chosen && $0.passed } }

  /// The report as JSON, for a developer to collect.
  public func json() -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    // Every number in it is finite.
    return (try? encoder.encode(self)) ?? Data()
  }

  /// Why ``chosen`` is not what was asked for, as a sentence; nil when the first unit passed.
  package var complaint: String? {
    let failed = verdicts.filter { !$0.passed }.map { "\($0.units): \($0.reason ?? "failed")" }
    guard !failed.isEmpty else { return nil }
    let list = failed.joined(separator: "; ")
    return passed
      ? "the canary failed on \(list)"
      : "the canary failed on every unit, and the app accepts that (\(list))"
  }
}
