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

extension PipelineConfiguration {
  /// Inferences a second at a level; zero is a pause.
  package func rate(at level: ThermalLevel) -> Double {
    switch level {
    case .nominal, .fair: max(targetRate, 0)
    case .serious: max(min(targetRate, seriousRate), 0)
    case .critical: 0
    }
  }
}
