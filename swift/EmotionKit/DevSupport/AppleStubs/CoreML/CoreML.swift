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
