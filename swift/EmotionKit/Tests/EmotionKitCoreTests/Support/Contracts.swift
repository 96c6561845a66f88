import EmotionKitCore
import Foundation

/// The contract JSON as an exporter writes it.
enum ContractJSON {
  static let valid = """
    {"schema": "emotionkit.contract", "version": 1, "architecture": "efficientnet_b0",
     "labels": ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral",
                "contempt"],
     "preprocess": {"crop_margin": 0.3, "input_size": 48, "resize": "bilinear-antialias",
                    "color": "gray", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
     "input": "image",
     "outputs": {"label": "classLabel", "probabilities": "classLabel_probs"},
     "checkpoint_sha256": "\(String(repeating: "ab", count: 32))", "demo": false}
    """

  /// The valid contract with one text replaced.
  static func replacing(_ old: String, with new: String) -> String {
    valid.replacingOccurrences(of: old, with: new)
  }
}
