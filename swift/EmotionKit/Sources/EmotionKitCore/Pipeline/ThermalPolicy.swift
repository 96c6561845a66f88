/// How hot the device is; the four levels of `ProcessInfo.ThermalState`.
public enum ThermalLevel: Int, CaseIterable, Comparable, Hashable, Sendable {
  /// Nothing to do.
  case nominal
  /// Slightly raised.
  case fair
  /// High: work should shrink.
  case serious
  /// Too high: work should stop.
  case critical

  /// Cooler levels come first.
  public static func < (a: ThermalLevel, b: ThermalLevel) -> Bool { a.rawValue < b.rawValue }
}

/// How many inferences a second are right at each thermal level.
public struct ThermalPolicy: Hashable, Sendable {
  /// Inferences a second while the device is cool.
  public var targetRate: Double
  /// Inferences a second at ``ThermalLevel/serious``; never above the target.
  public var seriousRate: Double

  /// Creates a policy. At ``ThermalLevel/critical`` analysis pauses.
  public init(targetRate: Double = 12, seriousRate: Double = 5) {
    self.targetRate = targetRate
    self.seriousRate = seriousRate
  }

  /// Inferences a second at a level; zero is a pause.
  package func rate(at level: ThermalLevel) -> Double {
    switch level {
    case .nominal, .fair: max(targetRate, 0)
    case .serious: max(min(targetRate, seriousRate), 0)
    case .critical: 0
    }
  }
}
