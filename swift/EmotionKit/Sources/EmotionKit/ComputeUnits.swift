/// What Core ML may run the network on.
public enum ComputeUnits: String, CaseIterable, Hashable, Sendable {
  /// The processor only. Always used in the simulator, which has nothing else.
  case cpuOnly
  /// Processor and GPU.
  case cpuAndGPU
  /// Processor and Neural Engine. The default: it leaves the GPU to the camera preview.
  case cpuAndNeuralEngine
  /// Anything.
  case all
}

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
}
