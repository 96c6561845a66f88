import Foundation

/// Fetches a ``RemoteModel`` once, into a folder where it stays.
///
///     let downloader = ModelDownloader()
///     try await downloader.download(model) { progress in print(progress.fraction) }
///     let monitor = try await EmotionMonitor(model: .download(model))
///
/// A download that was interrupted, by a lost connection or by the end of the app, continues where
/// it stopped. Every file is hashed before the model gets its place; afterwards only that place is
/// looked at. Two tasks or processes that want the same model wait for one download.
public struct ModelDownloader: Sendable {
  private let directory: URL
  private let transport: any ModelTransport
  private let storage: any ModelStorage
  private let retries: RetryPolicy

  /// Creates a downloader.
  ///
  /// - Parameter directory: where models are kept, each in a folder of its own; nil for one in
  ///   Application Support. Choose one that is not shared between apps: iOS ends an app that is
  ///   suspended while it holds a lock in a shared container.
  public init(directory: URL? = nil) {
    self.init(directory: directory, transport: URLSessionTransport())
  }

  /// - Parameters:
  ///   - transport: how bytes are fetched.
  ///   - pause: before a failed request is tried again.
  package init(
    directory: URL?, transport: any ModelTransport, storage: any ModelStorage = DiskStorage(),
    pause: Duration = .seconds(1)
  ) {
    self.directory =
      directory ?? CompiledModelCache.defaultDirectory.appendingPathComponent("Models")
    self.transport = transport
    self.storage = storage
    retries = RetryPolicy(pause: pause)
  }

  /// The model's file or folder if it is here already; asks no server.
  ///
  /// - Throws: ``EmotionKitError/modelDamaged(_:reason:)`` for a model that was damaged since.
  public func downloaded(_ model: RemoteModel) throws(EmotionKitError) -> URL? {
    let folder = place(of: model)
    guard folder.isExistingDirectory == true else { return nil }
    let names = try storing(at: folder) { try storage.names(in: folder) }
    let files = names.sorted().map(folder.appendingPathComponent)
    guard let file = files.first(where: { LocatedModel.Kind($0) != nil }) else {
      throw .modelDamaged(folder, reason: "there is no model in it")
    }
    return try ModelLocator.inspect(file).url
  }

  /// Fetches the model, unless it is here already.
  ///
  /// - Parameters:
  ///   - model: where it is and what it must be.
  ///   - progress: called now and then, on no particular thread.
  /// - Returns: the model's file or folder, checked against ``RemoteModel/sha256``.
  /// - Throws: ``EmotionKitError/modelDownloadFailed(_:reason:)``,
  ///   ``EmotionKitError/modelFileChanged(path:expected:found:)`` for other content than promised,
  ///   ``EmotionKitError/storageFailed(_:reason:)`` for a full disk, or `CancellationError`.
  @discardableResult
  public func download(
    _ model: RemoteModel,
    progress: @escaping @Sendable (ModelDownloadProgress) -> Void = { _ in }
  ) async throws -> URL {
    if let here = try downloaded(model) { return here }
    try storing(at: directory) { try storage.createFolder(directory) }
    let lock = place(of: model).appendingPathExtension("lock")
    return try await FileLock.holding(lock) {
      // Whoever held the lock before may have fetched it.
      if let here = try downloaded(model) { return here }
      let staging = place(of: model).appendingPathExtension("partial")
      try storing(at: staging) { try storage.createFolder(staging) }
      storage.excludeFromBackup(staging)
      if model.isManifest {
        try await fetchListed(by: model, into: staging, progress)
      } else {
        let target = staging.appendingPathComponent(model.url.lastPathComponent)
        try await fetch(model.url, to: target, sha256: model.sha256, bytes: nil) {
          progress(ModelDownloadProgress(completedBytes: $0, totalBytes: $1))
        }
      }
      let place = place(of: model)
      try storing(at: place) { try storage.move(staging, to: place) }
      guard let here = try downloaded(model) else {
        throw EmotionKitError.modelNotFound(searched: [place])
      }
      return here
    }
  }

  /// Removes the model and what there is of it.
  ///
  /// - Throws: ``EmotionKitError/storageFailed(_:reason:)``.
  public func remove(_ model: RemoteModel) throws(EmotionKitError) {
    let staging = place(of: model).appendingPathExtension("partial")
    for folder in [place(of: model), staging] where folder.isExistingDirectory != nil {
      try storing(at: folder) { try storage.remove(folder) }
    }
  }

  private func place(of model: RemoteModel) -> URL {
    directory.appendingPathComponent(String(model.sha256.prefix(32)))
  }

  private func fetchListed(
    by model: RemoteModel, into staging: URL,
    _ progress: @escaping @Sendable (ModelDownloadProgress) -> Void
  ) async throws {
    let data = try await transport.data(from: model.url, limit: 1 << 20, retries: retries)
    let manifest = try ModelManifest.parse(data)
    // The manifest is believed only as far as the promised hash covers it.
    try manifest.canary?.check()
    let total = try manifest.checkListing(sha256: model.sha256) + (manifest.canary?.bytes ?? 0)
    let base = model.url.deletingLastPathComponent()
    var done = 0
    for (path, file) in manifest.fetchedPaths {
      let target = staging.appendingPathComponent(path)
      let before = done
      // A file has its name only if its hash was right: it is left from an interrupted download.
      if target.isExistingDirectory == nil {
        let remote = base.appendingPathComponent(path)
        try await fetch(remote, to: target, sha256: file.sha256, bytes: file.bytes) { here, _ in
          progress(ModelDownloadProgress(completedBytes: before + here, totalBytes: total))
        }
      }
      done += file.bytes
    }
    progress(ModelDownloadProgress(completedBytes: done, totalBytes: total))
    let target = staging.appendingPathComponent(ModelManifest.fileName)
    try storing(at: target) { try storage.write(data, to: target) }
  }

  private func fetch(
    _ remote: URL, to target: URL, sha256: String, bytes: Int?,
    _ onProgress: @escaping @Sendable (Int, Int?) -> Void
  ) async throws {
    try await FileDownload(
      remote: remote, target: target, sha256: sha256, bytes: bytes, transport: transport,
      storage: storage, retries: retries, onProgress: onProgress
    ).run()
  }
}
