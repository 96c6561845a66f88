import Foundation

/// The `manifest.json` beside a model: which files it is, what it promises, and how the exporter's
/// parity check judged it.
public struct ModelManifest: Codable, Hashable, Sendable {
  /// The schema name this version reads.
  public static let schema = "emotionkit.manifest"
  /// The schema version this version reads.
  public static let version = 1
  /// The file's name.
  public static let fileName = "manifest.json"

  /// One file of the model.
  public struct File: Codable, Hashable, Sendable {
    /// Relative to the model folder, with `/`.
    public let path: String
    /// Size in bytes.
    public let bytes: Int
    /// 64 hexadecimal digits.
    public let sha256: String
  }

  /// The model on disk.
  public struct Model: Codable, Hashable, Sendable {
    /// Name without extension.
    public let name: String
    /// The file or folder beside the manifest.
    public let file: String
    /// `mlprogram` or `neuralnetwork`.
    public let format: String
    /// `fp16`, or `fp32` where half precision is too coarse for the network.
    public let precision: String
    /// All files together.
    public let bytes: Int
    /// Hash of the file, or of a folder's sorted `<sha256>  <path>` lines.
    public let sha256: String
    /// Every file, sorted by path.
    public let files: [File]
  }

  /// The exporter's verdict.
  public struct Parity: Codable, Hashable, Sendable {
    /// `PASS`, `FAIL` or `NOT RUN`.
    public let verdict: String
    /// Smaller forms of the model that hold the same network, but not precisely enough: `["fp16"]`
    /// where full precision was published in its place. `nil` from earlier exporters.
    public let passedOver: [String]?
    /// False when the model was published in spite of the verdict.
    public let gated: Bool
    /// Which runtime produced the numbers.
    public let runtime: String
    /// Images compared.
    public let images: Int
    /// Largest difference of a probability from the checkpoint's.
    public let maximumDifference: Double?
    /// Share of images with the same most probable emotion, `0...1`.
    public let topAgreement: Double?
    /// What Apple's own runtime said, or why it was not run.
    public let appleRuntime: String

    private enum CodingKeys: String, CodingKey {
      case verdict, gated, runtime, images
      case passedOver = "passed_over"
      case maximumDifference = "max_abs_dp"
      case topAgreement = "top1_agreement"
      case appleRuntime = "apple_runtime"
    }
  }

  /// ``schema``.
  public let schema: String
  /// ``version``.
  public let version: Int
  /// The model on disk.
  public let model: Model
  /// What the model promises.
  public let contract: ModelContract
  /// The exporter's verdict.
  public let parity: Parity
  /// Tool names and versions.
  public let createdWith: [String: String]
  /// ISO 8601.
  public let createdAt: String

  private enum CodingKeys: String, CodingKey {
    case schema, version, model, contract, parity
    case createdWith = "created_with"
    case createdAt = "created_at"
  }
}

extension ModelManifest {
  /// Reads and validates a manifest.
  ///
  /// - Throws: ``EmotionKitError/contractMismatch(field:expected:found:)``.
  public static func parse(_ data: Data) throws(EmotionKitError) -> ModelManifest {
    struct Header: Decodable {
      let schema: String
      let version: Int
    }
    do {
      let decoder = JSONDecoder()
      let header = try decoder.decode(Header.self, from: data)
      guard header.schema == schema, header.version == version else {
        throw EmotionKitError.contractMismatch(
          field: "manifest", expected: "\(schema) version \(version)",
          found: "\(header.schema) version \(header.version)")
      }
      return try decoder.decode(ModelManifest.self, from: data)
    } catch let error as EmotionKitError {
      throw error
    } catch {
      throw .contractMismatch(decoding: error)
    }
  }

  /// Reads the manifest in a folder.
  ///
  /// - Throws: ``EmotionKitError/modelDamaged(_:reason:)`` when there is none, or what
  ///   ``parse(_:)`` throws.
  public static func read(in directory: URL) throws(EmotionKitError) -> ModelManifest {
    let url = directory.appendingPathComponent(fileName)
    guard let data = try? Data(contentsOf: url) else {
      throw .modelDamaged(directory, reason: "\(fileName) is missing or cannot be read")
    }
    return try parse(data)
  }
}
