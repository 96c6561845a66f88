import Foundation

/// Everything EmotionKit can report as wrong.
///
///     EmotionKitError
///     ├── camera      cameraUnauthorized · cameraUnavailable
///     ├── finding     modelNotFound · unsupportedModelFile · modelIsLFSPointer · modelDamaged
///     ├── fetching    modelDownloadFailed · storageFailed
///     ├── trusting    contractMismatch · modelFileChanged
///     ├── running     modelCompileFailed · modelLoadFailed · inferenceFailed · canaryFailed
///     └── input       invalidProbabilities · invalidRegion · unreadableImage ·
///                     unreadableVideo
///
/// Payloads are plain values, so an error can be compared, logged and sent between tasks. No error
/// carries image data.
public enum EmotionKitError: Error, Hashable, Sendable {
  /// The person, or a profile, has not allowed the camera.
  case cameraUnauthorized
  /// No camera at that position, or it cannot be opened.
  case cameraUnavailable(reason: String)

  /// No model in any of the places that were searched.
  case modelNotFound(searched: [URL])
  /// The file is not `.mlmodelc`, `.mlpackage` or `.mlmodel`.
  case unsupportedModelFile(URL)
  /// A Git LFS pointer lies where the model should be.
  case modelIsLFSPointer(URL)
  /// The model folder lacks a part it cannot work without.
  case modelDamaged(URL, reason: String)

  /// A model could not be fetched. What did arrive is kept, and the next try continues there.
  case modelDownloadFailed(URL, reason: String)
  /// A model could not be written to disk, for instance because the disk is full.
  case storageFailed(URL, reason: String)

  /// The model promises something other than this version of EmotionKit understands.
  case contractMismatch(field: String, expected: String, found: String)
  /// A file of the model differs from the one the manifest was written for.
  case modelFileChanged(path: String, expected: String, found: String)

  /// Core ML could not compile the model.
  case modelCompileFailed(URL, reason: String)
  /// Core ML could not load the compiled model, not even on the CPU.
  case modelLoadFailed(URL, reason: String)
  /// A prediction failed.
  case inferenceFailed(reason: String)
  /// No compute unit of this device answers the model's canary as the checkpoint does.
  case canaryFailed(CanaryReport)

  /// The numbers are not eight probabilities.
  case invalidProbabilities(reason: String)
  /// The face box or the image has no area, or is not finite.
  case invalidRegion(reason: String)
  /// The bytes are not an image.
  case unreadableImage(reason: String)
  /// The file is not a video that can be decoded.
  case unreadableVideo(reason: String)
}

extension EmotionKitError: LocalizedError {
  /// What happened, with the value that was seen.
  public var errorDescription: String? {
    switch self {
    case .cameraUnauthorized:
      "The camera is not allowed for this app."
    case .cameraUnavailable(let reason):
      "The camera cannot be used: \(reason)."
    case .modelNotFound(let searched):
      "No emotion model was found. Searched: "
        + (searched.isEmpty ? "nowhere" : searched.map(\.path).joined(separator: ", ")) + "."
    case .unsupportedModelFile(let url):
      "\(url.lastPathComponent) is not a Core ML model."
    case .modelIsLFSPointer(let url):
      "\(url.lastPathComponent) holds a Git LFS pointer instead of a model."
    case .modelDamaged(let url, let reason):
      "The model \(url.lastPathComponent) is incomplete: \(reason)."
    case .modelDownloadFailed(let url, let reason):
      "\(url.lastPathComponent) could not be downloaded from \(url.host ?? url.path): \(reason)."
    case .storageFailed(let url, let reason):
      "The model cannot be stored at \(url.path): \(reason)."
    case .contractMismatch(let field, let expected, let found):
      "The model's contract does not fit at \(field): expected \(expected), found \(found)."
    case .modelFileChanged(let path, let expected, let found):
      "The model file \(path) is not the one in the manifest: expected \(expected), found \(found)."
    case .modelCompileFailed(let url, let reason):
      "Core ML could not compile \(url.lastPathComponent): \(reason)."
    case .modelLoadFailed(let url, let reason):
      "Core ML could not load \(url.lastPathComponent): \(reason)."
    case .inferenceFailed(let reason):
      "The model could not be run: \(reason)."
    case .canaryFailed(let report):
      "The model answers wrongly on every compute unit of this \(report.device): "
        + (report.complaint ?? "no unit was tried") + "."
    case .invalidProbabilities(let reason):
      "These are not probabilities of the eight emotions: \(reason)."
    case .invalidRegion(let reason):
      "There is no face region to look at: \(reason)."
    case .unreadableImage(let reason):
      "The image cannot be read: \(reason)."
    case .unreadableVideo(let reason):
      "The video cannot be read: \(reason)."
    }
  }

  /// What the app, its developer or the person can do about it.
  public var recoverySuggestion: String? {
    switch self {
    case .cameraUnauthorized:
      "Allow the camera for this app in Settings. The app's Info.plist needs "
        + "NSCameraUsageDescription."
    case .cameraUnavailable:
      "Use a device with a camera, close other apps that use it, or analyse still images instead."
    case .modelNotFound:
      "Add the package that `ferconv package` writes, which has a model inside, "
        + "or pass EmotionModelSource.url."
    case .unsupportedModelFile:
      "Pass a .mlmodelc, .mlpackage or .mlmodel."
    case .modelIsLFSPointer:
      "Fetch the real file with `git lfs pull`, or run `ferconv build` again."
    case .modelDamaged:
      "Copy the whole model folder again, or run `ferconv build` again."
    case .modelDownloadFailed:
      "Check the address and the connection, then try again: a download continues where it stopped."
    case .storageFailed:
      "Free some space on the device, then try again. Nothing is left half-written."
    case .contractMismatch:
      "Convert the checkpoint again with the ferconv that belongs to this version of EmotionKit."
    case .modelFileChanged:
      "Restore the model, or run `ferconv build` again so that model and manifest are written "
        + "together."
    case .modelCompileFailed, .modelLoadFailed:
      "Check the deployment target of the model and the free space on the device."
    case .inferenceFailed:
      "Set EmotionConfiguration.computeUnits to .cpuOnly and try again."
    case .canaryFailed:
      "Send the developer the report's json(). An app can go on with the unit that is least wrong: "
        + "EmotionConfiguration.canary = .reported."
    case .invalidProbabilities:
      "Convert the checkpoint again with `ferconv build`; its parity check runs the same model."
    case .invalidRegion:
      "Pass a face box with a positive width and height in an image with pixels."
    case .unreadableImage:
      "Pass a JPEG, PNG or HEIC file that opens in other apps."
    case .unreadableVideo:
      "Pass a file:// URL of a movie that plays in other apps."
    }
  }
}
