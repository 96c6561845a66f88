/// What the network really runs on.
public struct InferenceDiagnostics: Hashable, Sendable {
  /// What the app asked for; `cpuOnly` in the simulator whatever it asked for.
  public let requested: ComputeUnits
  /// What is in use.
  public let active: ComputeUnits
  /// Why the two differ; nil when they do not.
  public let fallbackReason: String?
  /// True when Vision's Swift-only interface is in use.
  public internal(set) var usesSwiftVision = false
  /// What the model's canary said of the compute units; nil for a model without one, and where
  /// ``CanaryPolicy/off`` left it out.
  public internal(set) var canary: CanaryReport?
}
