/// What Core ML may run the network on.
public enum ComputeUnits: String, CaseIterable, Codable, Hashable, Sendable {
  /// The processor only. Always used in the simulator, which has nothing else.
  case cpuOnly
  /// Processor and GPU.
  case cpuAndGPU
  /// Processor and Neural Engine. The default: it leaves the GPU to the camera preview.
  case cpuAndNeuralEngine
  /// Anything.
  case all

  /// These, then those within them, the fastest first: what an app that asked for these may be
  /// given when they answer wrongly. Never a GPU that it did not ask for.
  package var candidates: [ComputeUnits] {
    switch self {
    case .cpuOnly: [.cpuOnly]
    case .cpuAndGPU: [.cpuAndGPU, .cpuOnly]
    case .cpuAndNeuralEngine: [.cpuAndNeuralEngine, .cpuOnly]
    case .all: [.all, .cpuAndNeuralEngine, .cpuAndGPU, .cpuOnly]
    }
  }
}
