import Foundation

/// What a model promises about its inputs and outputs: the `emotionkit.contract` JSON that the
/// exporter writes into the model's metadata.
///
/// A contract that can be read has been validated: a value of this type is always usable.
public struct ModelContract: Hashable, Sendable {
  /// The metadata key that holds the JSON.
  package static let metadataKey = "emotionkit.contract"
  /// The schema name this version reads.
  package static let schema = "emotionkit.contract"
  /// The schema versions this version reads: 1 is about the eight known emotions, 2 about any 2 to
  /// 64 labels.
  package static let versions = 1...2

  /// The colour the network works in; the conversion is inside the model.
  package enum Color: String, CaseIterable, Codable, Hashable, Sendable {
    /// BT.601 luma on three equal channels.
    case gray
    /// Red, green, blue.
    case rgb
    /// Blue, green, red: networks that were trained on OpenCV's images.
    case bgr
  }

  /// The pixels the network expects.
  package struct Preprocess: Hashable, Sendable {
    /// How much longer than the face box the square region is; see ``RegionPlanner``.
    package let cropMargin: Double
    /// Side of the square input in pixels.
    package let inputSize: Int
    /// The filter from the region to the input.
    package let resize: String
    /// The colour rule compiled into the model.
    package let color: Color
    /// Per-channel mean compiled into the model, on the 0...1 scale.
    package let mean: [Double]
    /// Per-channel standard deviation compiled into the model, on the 0...1 scale.
    package let std: [Double]
  }

  /// For instance `efficientnet_b0`.
  public let architecture: String
  /// What the model tells apart, in the order of its outputs.
  public let labels: [Emotion]
  /// The same labels in the order in which they are shown: see ``Emotion/displayOrder(_:)``.
  public let displayLabels: [Emotion]
  /// The pixels the network expects.
  package let preprocess: Preprocess
  /// What the logits are divided by, inside the model, so that probabilities mean what they say: it
  /// was fitted on validation images. 1 in a model that is not calibrated.
  public let temperature: Double
  /// Name of the image input.
  package let input: String
  /// Name of the output with the most probable label.
  package let labelOutput: String
  /// Name of the output with the probabilities keyed by label.
  package let probabilitiesOutput: String
  /// The checkpoint the model was made from, 64 hexadecimal digits.
  public let checkpointSHA256: String
  /// True for a model trained on synthetic faces, which knows nothing about people.
  public let isDemo: Bool
}

extension ModelContract {
  /// Reads and validates the JSON text from a model's metadata.
  ///
  /// - Throws: ``EmotionKitError/contractMismatch(field:expected:found:)``, which names the field.
  /// - Complexity: O(*n*) in the length of the text.
  package static func parse(_ json: String) throws(EmotionKitError) -> ModelContract {
    do {
      return try JSONDecoder().decode(ModelContract.self, from: Data(json.utf8))
    } catch let error as EmotionKitError {
      throw error
    } catch {
      throw .contractMismatch(decoding: error)
    }
  }

  /// What to tell people about a model whose ``isDemo`` is true, before they believe it.
  package static let demoNotice =
    "Demonstration model: it was trained on faces drawn by a program and knows nothing about "
    + "people."

  /// Checks that the model's own label list, in its order, is the one in the contract.
  ///
  /// - Throws: ``EmotionKitError/contractMismatch(field:expected:found:)``.
  package func validate(classLabels: [String]) throws(EmotionKitError) {
    guard classLabels == labels.map(\.rawValue) else {
      throw .contractMismatch(
        field: "class labels", expected: "\(labels.map(\.rawValue))", found: "\(classLabels)")
    }
  }

  /// Checks that another copy of the contract, such as the manifest's, says the same.
  ///
  /// - Throws: ``EmotionKitError/contractMismatch(field:expected:found:)`` for the first difference.
  package func validate(equals other: ModelContract) throws(EmotionKitError) {
    let pairs: [(String, String, String)] = [
      ("architecture", architecture, other.architecture),
      ("labels", "\(labels)", "\(other.labels)"),
      ("preprocess", "\(preprocess)", "\(other.preprocess)"),
      ("temperature", "\(temperature)", "\(other.temperature)"),
      ("input", input, other.input),
      ("outputs.label", labelOutput, other.labelOutput),
      ("outputs.probabilities", probabilitiesOutput, other.probabilitiesOutput),
      ("checkpoint_sha256", checkpointSHA256, other.checkpointSHA256),
      ("demo", "\(isDemo)", "\(other.isDemo)"),
    ]
    for (field, mine, theirs) in pairs where mine != theirs {
      throw .contractMismatch(field: field, expected: theirs, found: mine)
    }
  }
}
