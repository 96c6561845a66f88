import Foundation

/// A model on a web server, named by its hash: for models that are too large for Git, or newer than
/// the app.
///
/// Put the `Models` folder that `ferconv package` wrote on any server that hands out files, as it
/// is, and give the address of its `manifest.json`:
///
///     let model = try RemoteModel(
///       url: URL(string: "https://example.com/models/7/manifest.json")!,
///       sha256: "…")                                  // model.sha256 in that manifest
///
/// Nothing needs to be packed: an `.mlpackage` is fetched file by file. The hash is the promise
/// that counts; whoever controls the server cannot make an app load anything else.
public struct RemoteModel: Hashable, Sendable {
  /// Where the manifest, or a single `.mlmodel`, lies.
  public let url: URL
  /// The content hash, 64 lowercase hexadecimal digits: `model.sha256` of the manifest.
  public let sha256: String

  /// Describes a model; fetches nothing.
  ///
  /// - Parameters:
  ///   - url: of a `manifest.json` with the model beside it, or of an `.mlmodel`.
  ///   - sha256: of the model, in either case.
  /// - Throws: ``EmotionKitError/unsupportedModelFile(_:)`` for an address that is neither, or
  ///   ``EmotionKitError/contractMismatch(field:expected:found:)`` for a text that is no hash.
  public init(url: URL, sha256: String) throws(EmotionKitError) {
    guard ["json", "mlmodel"].contains(url.pathExtension.lowercased()) else {
      throw .unsupportedModelFile(url)
    }
    let hash = sha256.lowercased()
    guard hash.count == 64, hash.allSatisfy(\.isLowercaseHexDigit) else {
      throw .contractMismatch(
        field: "sha256", expected: "64 hexadecimal digits", found: sha256)
    }
    self.url = url
    self.sha256 = hash
  }

  /// True when ``url`` is a manifest, which lists the files to fetch.
  var isManifest: Bool { url.pathExtension.lowercased() == "json" }
}

/// How far a download is.
public struct ModelDownloadProgress: Hashable, Sendable {
  /// Bytes on disk, those of an earlier try included.
  public let completedBytes: Int
  /// Bytes of the whole model; nil until the server has said.
  public let totalBytes: Int?

  /// `0...1`; zero while the total is unknown.
  public var fraction: Double {
    guard let totalBytes, totalBytes > 0 else { return 0 }
    return min(Double(completedBytes) / Double(totalBytes), 1)
  }
}
