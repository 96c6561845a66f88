import Foundation

/// Where the model comes from.
public enum EmotionModelSource: Hashable, Sendable {
  /// The one inside this package.
  case bundled
  /// A `.mlmodelc`, `.mlpackage` or `.mlmodel` the app chose.
  ///
  /// With `sha256`, as `model.sha256` of a `manifest.json` has it, the model is hashed and refused
  /// when it differs. Nothing else is ever loaded in its place.
  case url(URL, sha256: String? = nil)
  /// A model on a web server: fetched on first use, found on disk afterwards.
  ///
  /// To show progress, call ``ModelDownloader/download(_:progress:)`` before.
  case download(RemoteModel)
}
