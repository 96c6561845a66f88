import Foundation

/// What the pretended Core ML answers, and what it was asked. Set by tests, one test at a time.
public enum StubCoreML {
  public struct Failure: LocalizedError, Sendable {
    public let message: String
    public init(message: String) { self.message = message }
    public var errorDescription: String? { message }
  }

  public struct Script: Sendable {
    public var userDefined: [String: String] = [:]
    public var classLabels: [String] = []
    public var inputName = "image"
    public var inputSide: Int? = 48
    public var failingLoads: Set<MLComputeUnits> = []
    public var failsToCompile = false
    public var isNeuralNetwork = false
    public init() {}
  }

  private static let lock = NSLock()
  nonisolated(unsafe) private static var current = Script()
  nonisolated(unsafe) private static var loadedUnits: [MLComputeUnits] = []
  nonisolated(unsafe) private static var loadedURLs: [URL] = []
  nonisolated(unsafe) private static var compiledURLs: [URL] = []

  public static var script: Script { lock.withLock { current } }
  public static var loads: [MLComputeUnits] { lock.withLock { loadedUnits } }
  public static var loadURLs: [URL] { lock.withLock { loadedURLs } }
  public static var compilations: [URL] { lock.withLock { compiledURLs } }

  public static func reset(_ script: Script) {
    lock.withLock {
      current = script
      loadedUnits = []
      loadedURLs = []
      compiledURLs = []
    }
  }

  /// Two operations on the best device, one on the processor, one without a device.
  @available(iOS 17.4, macOS 14.4, macCatalyst 17.4, visionOS 1.1, *)
  static func structure(on units: MLComputeUnits) -> MLModelStructure {
    let cpu = MLComputeDevice.cpu(MLCPUComputeDevice())
    let best: MLComputeDevice =
      units == .cpuOnly ? cpu : .neuralEngine(MLNeuralEngineComputeDevice())
    let devices: [MLComputeDevice?] = [best, best, cpu, nil]
    if script.isNeuralNetwork {
      return .neuralNetwork(.init(layers: devices.map { .init(device: $0) }))
    }
    return .program(
      .init(functions: [
        "main": .init(block: .init(operations: devices.map { .init(device: $0) }))
      ]))
  }

  static func record(load url: URL, units: MLComputeUnits) {
    lock.withLock {
      loadedUnits.append(units)
      loadedURLs.append(url)
    }
  }

  static func record(compile url: URL) {
    lock.withLock { compiledURLs.append(url) }
  }
}
