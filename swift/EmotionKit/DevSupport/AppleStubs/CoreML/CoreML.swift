@_exported import CoreVideo

public enum MLComputeUnits: Int, Sendable {
  case cpuOnly = 0
  case cpuAndGPU = 1
  case all = 2
  @available(iOS 16.0, macOS 13.0, *)
  case cpuAndNeuralEngine = 3
}

public class MLModelConfiguration: NSObject {
  public override init() {}
  public var computeUnits: MLComputeUnits = .all
}

public struct MLModelMetadataKey: Hashable, Sendable {
  let name: String
  public static let description = MLModelMetadataKey(name: "description")
  public static let versionString = MLModelMetadataKey(name: "version")
  public static let author = MLModelMetadataKey(name: "author")
  public static let license = MLModelMetadataKey(name: "license")
  public static let creatorDefinedKey = MLModelMetadataKey(name: "creatorDefined")
}

public class MLImageConstraint: NSObject {
  public let pixelsWide: Int
  public let pixelsHigh: Int
  init(side: Int) {
    pixelsWide = side
    pixelsHigh = side
  }
}

public class MLFeatureDescription: NSObject {
  public let imageConstraint: MLImageConstraint?
  init(side: Int?) { imageConstraint = side.map(MLImageConstraint.init(side:)) }
}

public class MLModelDescription: NSObject {
  public let metadata: [MLModelMetadataKey: Any]
  public let classLabels: [Any]?
  public let inputDescriptionsByName: [String: MLFeatureDescription]

  init(_ script: StubCoreML.Script) {
    metadata = [.creatorDefinedKey: script.userDefined]
    classLabels = script.classLabels
    inputDescriptionsByName = [script.inputName: MLFeatureDescription(side: script.inputSide)]
  }
}

public class MLModel: NSObject {
  public let modelDescription: MLModelDescription
  public let configuration: MLModelConfiguration

  public init(contentsOf url: URL, configuration: MLModelConfiguration) throws {
    let script = StubCoreML.script
    StubCoreML.record(load: url, units: configuration.computeUnits)
    if script.failingLoads.contains(configuration.computeUnits) {
      throw StubCoreML.Failure(message: "cannot load on \(configuration.computeUnits)")
    }
    modelDescription = MLModelDescription(script)
    self.configuration = configuration
  }

  public class func compileModel(at url: URL) async throws -> URL {
    StubCoreML.record(compile: url)
    if StubCoreML.script.failsToCompile { throw StubCoreML.Failure(message: "cannot compile") }
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent(UUID().uuidString)
      .appendingPathComponent(url.deletingPathExtension().lastPathComponent + ".mlmodelc")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data("compiled".utf8).write(to: folder.appendingPathComponent("coremldata.bin"))
    return folder
  }
}

@available(iOS 17.0, macOS 14.0, macCatalyst 17.0, visionOS 1.0, *)
public enum MLComputeDevice: Sendable {
  case cpu(MLCPUComputeDevice)
  case gpu(MLGPUComputeDevice)
  case neuralEngine(MLNeuralEngineComputeDevice)
}
@available(iOS 17.0, macOS 14.0, macCatalyst 17.0, visionOS 1.0, *)
extension MLComputeDevice {
  public static var allComputeDevices: [MLComputeDevice] { MLModel.availableComputeDevices }
}
public final class MLCPUComputeDevice: NSObject, Sendable {}
public final class MLGPUComputeDevice: NSObject, Sendable {}
public final class MLNeuralEngineComputeDevice: NSObject, Sendable {}

extension MLModel {
  @available(iOS 17.0, macOS 14.0, macCatalyst 17.0, visionOS 1.0, *)
  public static var availableComputeDevices: [MLComputeDevice] {
    [.cpu(MLCPUComputeDevice()), .neuralEngine(MLNeuralEngineComputeDevice())]
  }
}

@available(iOS 17.4, macOS 14.4, macCatalyst 17.4, visionOS 1.1, *)
public enum MLModelStructure: Sendable {
  public struct Program: Sendable {
    public struct Function: Sendable { public let block: Block }
    public struct Block: Sendable { public let operations: [Operation] }
    public struct Operation: Sendable { let device: MLComputeDevice? }
    public let functions: [String: Function]
  }
  public struct NeuralNetwork: Sendable {
    public struct Layer: Sendable { let device: MLComputeDevice? }
    public let layers: [Layer]
  }
  public struct Pipeline: Sendable {}
  case neuralNetwork(NeuralNetwork)
  case program(Program)
  case pipeline(Pipeline)
  case unsupported
}

@available(iOS 17.4, macOS 14.4, macCatalyst 17.4, visionOS 1.1, *)
public class MLComputePlan {
  public struct DeviceUsage {
    public let preferred: MLComputeDevice
  }

  public let modelStructure: MLModelStructure
  init(_ structure: MLModelStructure) { modelStructure = structure }

  public static func load(
    contentsOf url: URL, configuration: MLModelConfiguration
  ) async throws -> MLComputePlan {
    MLComputePlan(StubCoreML.structure(on: configuration.computeUnits))
  }

  public func deviceUsage(for operation: MLModelStructure.Program.Operation) -> DeviceUsage? {
    operation.device.map(DeviceUsage.init(preferred:))
  }
  public func deviceUsage(for layer: MLModelStructure.NeuralNetwork.Layer) -> DeviceUsage? {
    layer.device.map(DeviceUsage.init(preferred:))
  }
}
