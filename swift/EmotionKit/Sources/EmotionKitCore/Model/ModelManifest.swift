import Foundation

/// The `manifest.json` beside a model: which files it is, what it promises, and how the exporter's
/// parity check judged it.
package struct ModelManifest: Codable, Hashable, Sendable {
  /// The schema name this version reads.
  package static let schema = "emotionkit.manifest"
  /// The schema version this version reads.
  package static let version = 1
  /// The file's name.
  package static let fileName = "manifest.json"

  /// One file of the model.
  package struct File: Codable, Hashable, Sendable {
    /// Relative to the model folder, with `/`.
    package let path: String
    /// Size in bytes.
    package let bytes: Int
    /// 64 hexadecimal digits.
    package let sha256: String
  }

  /// The model on disk.
  package struct Model: Codable, Hashable, Sendable {
    /// Name without extension.
    package let name: String
    /// The file or folder beside the manifest.
    package let file: String
    /// `mlprogram` or `neuralnetwork`.
    package let format: String
    /// `fp16`, or `fp32` where half precision is too coarse for the network.
    package let precision: String
    /// All files together.
    package let bytes: Int
    /// Hash of the file, or of a folder's sorted `<sha256>  <path>` lines.
    package let sha256: String
    /// Every file, sorted by path.
    package let files: [File]
  }

  /// The faces by which a device checks itself, beside the manifest.
  package struct CanaryFile: Codable, Hashable, Sendable {
    /// ``Canary/fileName``.
    package let file: String
    /// Size in bytes.
    package let bytes: Int
    /// 64 hexadecimal digits.
    package let sha256: String
  }

  /// The exporter's verdict.
  package struct Parity: Codable, Hashable, Sendable {
    /// `PASS`, `FAIL` or `NOT RUN`.
    package let verdict: String
    /// Smaller forms of the model that hold the same network, but not precisely enough: `["fp16"]`
    /// where full precision was published in its place. `nil` from earlier exporters.
    package let passedOver: [String]?
    /// False when the model was published in spite of the verdict.
    package let gated: Bool
    /// Which runtime produced the numbers.
    package let runtime: String
    /// Images compared.
    package let images: Int
    /// Largest difference of a probability from the checkpoint's.
    package let maximumDifference: Double?
    /// Share of images with the same most probable emotion, `0...1`.
    package let topAgreement: Double?
    /// What Apple's own runtime said, or why it was not run.
    package let appleRuntime: String

    private enum CodingKeys: String, CodingKey {
      case verdict, gated, runtime, images
      case passedOver = "passed_over"
      case maximumDifference = "max_abs_dp"
      case topAgreement = "top1_agreement"
      case appleRuntime = "apple_runtime"
    }
  }

  /// ``schema``.
  package let schema: String
  /// ``version``.
  package let version: Int
  /// The model on disk.
  package let model: Model
  /// What the model promises.
  package let contract: ModelContract
  /// The exporter's verdict.
  package let parity: Parity
  /// `nil` for a model without a canary.
  package let canary: CanaryFile?
  /// Tool names and versions.
  package let createdWith: [String: String]
  /// ISO 8601.
  package let createdAt: String

  private enum CodingKeys: String, CodingKey {
    case schema, version, model, contract, parity, canary
    case createdWith = "created_with"
    case createdAt = "created_at"
  }
}

extension ModelManifest {
  /// Reads and validates a manifest.
  ///
  /// - Throws: ``EmotionKitError/contractMismatch(field:expected:found:)``.
  package static func parse(_ data: Data) throws(EmotionKitError) -> ModelManifest {
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
  package static func read(in directory: URL) throws(EmotionKitError) -> ModelManifest {
    let url = directory.appendingPathComponent(fileName)
    guard let data = try? Data(contentsOf: url) else {
      throw .modelDamaged(directory, reason: "\(fileName) is missing or cannot be read")
    }
    return try parse(data)
  }
}
