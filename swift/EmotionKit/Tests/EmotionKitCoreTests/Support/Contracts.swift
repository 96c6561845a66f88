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
     "temperature": 1.5, "input": "image",
     "outputs": {"label": "classLabel", "probabilities": "classLabel_probs"},
     "checkpoint_sha256": "\(String(repeating: "ab", count: 32))", "demo": false}
    """

  /// A contract of version 2 with other labels.
  static func labelled(_ names: String...) -> String {
    let list = "[" + names.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
    guard let first = valid.range(of: "[\"anger\""), let last = valid.range(of: "\"contempt\"]")
    else { return "" }
    return valid.replacingCharacters(in: first.lowerBound..<last.upperBound, with: list)
      .replacingOccurrences(of: "\"version\": 1", with: "\"version\": 2")
  }

  /// The valid contract with one text replaced.
  static func replacing(_ old: String, with new: String) -> String {
    valid.replacingOccurrences(of: old, with: new)
  }
}

/// A manifest around a model's files, with the valid contract.
enum ManifestJSON {
  /// - Parameter files: one JSON object for each.
  static func text(file: String, bytes: Int, sha256: String, files: [String]) -> String {
    """
    {"schema": "emotionkit.manifest", "version": 1,
     "model": {"name": "EmotionNet", "file": "\(file)", "format": "mlprogram",
               "precision": "fp16", "bytes": \(bytes), "sha256": "\(sha256)",
               "files": [\(files.joined(separator: ","))]},
     "contract": \(ContractJSON.valid),
     "parity": {"verdict": "PASS", "gated": true, "runtime": "portable coreml_runtime 0.1.0",
                "images": 44, "max_abs_dp": 0.003, "top1_agreement": 1.0,
                "apple_runtime": "NOT RUN (no macOS)"},
     "created_with": {"ferconv": "0.1.0"}, "created_at": "2026-01-01T00:00:00Z"}
    """
  }
}
