import Foundation

/// Compiles a model once for each version of the model and of the operating system.
///
/// Core ML keeps its hardware-specialised form only for a compiled model at a stable path; one
/// compiled to a temporary folder on every launch is specialised on every launch.
///
/// Two processes, an app and its extension, may share a folder. A model appears in it by one
/// rename, whole or not at all; the slower of two compilers finds the name taken and throws its
/// own result away.
package actor CompiledModelCache {
  /// Turns an uncompiled model into a `.mlmodelc` anywhere on disk.
  package typealias Compiler = @Sendable (URL) async throws -> URL

  /// A compiled model that nobody asked for in so many days is removed.
  package static let daysKept = 30

  private let directory: URL
  private let osBuild: String
  private let storage: any ModelStorage
  private let today: @Sendable () -> Int
  private var running: [String: Task<URL, any Error>] = [:]

  /// Creates a cache.
  ///
  /// - Parameters:
  ///   - directory: a folder of this cache's own; created when needed.
  ///   - osBuild: changes with the operating system, whose update invalidates compiled models; nil for
  ///     its version and build.
  package init(
    directory: URL,
    osBuild: String? = nil
  ) {
    self.init(
      directory: directory, osBuild: osBuild ?? SystemBuild.current, storage: DiskStorage(),
      today: { Int(Date().timeIntervalSince1970 / 86_400) })
  }

  /// - Parameter today: a day's number; days only count up.
  package init(
    directory: URL, osBuild: String, storage: any ModelStorage,
    today: @escaping @Sendable () -> Int
  ) {
    self.directory = directory
    self.osBuild = osBuild.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
    self.storage = storage
    self.today = today
  }

  /// `Application Support/EmotionKit/<the app's bundle identifier>`, which the system does not purge.
  ///
  /// Outside a sandbox all apps of a Mac share `Application Support`: none may use, or clean up, what
  /// another one compiled. A program without an identifier goes by its name.
  package static var defaultDirectory: URL {
    let fileManager = FileManager.default
    let base = fileManager.urls(for: .applicationSupportDirectory, in: .userDomainMask).first
    return (base ?? fileManager.temporaryDirectory)
      .appendingPathComponent("EmotionKit")
      .appendingPathComponent(Bundle.main.bundleIdentifier ?? ProcessInfo.processInfo.processName)
  }

  /// Returns the compiled model, compiling it if this is the first time.
  ///
  /// Callers that ask at the same time wait for one compilation. A failure is not remembered, and
  /// an incomplete model in the cache is compiled again. Models of another system version, and
  /// those not used for a month, are removed on the way.
  ///
  /// - Parameters:
  ///   - model: the uncompiled model; its name without extension names its folder in the cache.
  ///   - hash: of the model's content.
  ///   - compile: compiles it, if that was not done before.
  /// - Throws: ``EmotionKitError/modelCompileFailed(_:reason:)``, or
  ///   ``EmotionKitError/storageFailed(_:reason:)`` when the disk is full or cannot be written.
  package func compiledModel(
    for model: URL, hash: String, compile: @escaping Compiler
  ) async throws -> URL {
    let name = model.deletingPathExtension().lastPathComponent
    let entry = Entry(
      folder: directory.appendingPathComponent(name), hash: hash, osBuild: osBuild,
      storage: storage, today: today())
    if entry.isComplete {
      entry.markUsed()
      return entry.url
    }
    if let existing = running[entry.url.path] { return try await existing.value }
    let task = Task { try await entry.build(from: model, compile: compile) }
    running[entry.url.path] = task
    defer { running[entry.url.path] = nil }
    return try await task.value
  }
}

extension CompiledModelCache {
  /// One compiled model: `<hash>-<system>.mlmodelc`, beside it a `.used` file with the day it was
  /// last asked for. A file's own dates would do, but reading those is an API that an app has to
  /// justify in its privacy manifest.
  private struct Entry: Sendable {
    let folder: URL
    let url: URL
    let suffix: String
    let storage: any ModelStorage
    let today: Int

    init(folder: URL, hash: String, osBuild: String, storage: any ModelStorage, today: Int) {
      self.folder = folder
      suffix = "-\(osBuild).mlmodelc"
      url = folder.appendingPathComponent("\(hash.prefix(16))\(suffix)", isDirectory: true)
      self.storage = storage
      self.today = today
    }

    var isComplete: Bool { (try? ModelLocator.inspect(url)) != nil }

    /// A name for what is under way or on its way out. It holds the day, so that the rest of a
    /// process that died can be told from the work of one that lives.
    private var partial: URL {
      folder.appendingPathComponent(".\(today)-\(UUID().uuidString).partial")
    }

    func markUsed() { mark(url.lastPathComponent) }

    private func mark(_ name: String) {
      let marker = folder.appendingPathComponent(name + ".used")
      guard day(in: marker) != today else { return }
      // On a full disk a model is forgotten earlier than it should be; that is no reason to fail.
      try? storage.write(Data("\(today)".utf8), to: marker)
    }

    private func day(in marker: URL) -> Int? {
      (try? storage.read(marker)).flatMap { Int(String(decoding: $0, as: UTF8.self)) }
    }

    func build(from model: URL, compile: Compiler) async throws -> URL {
      let compiled: URL
      do {
        compiled = try await compile(model)
      } catch let error as EmotionKitError {
        throw error
      } catch  where isOutOfSpace(error) {
        throw EmotionKitError.storageFailed(folder, reason: storageReason(error))
      } catch {
        throw EmotionKitError.modelCompileFailed(model, reason: error.localizedDescription)
      }
      // A no-op after success, when nothing is left there.
      defer { try? storage.remove(compiled) }
      do {
        try install(compiled)
      } catch {
        throw EmotionKitError.storageFailed(folder, reason: storageReason(error))
      }
      markUsed()
      removeStale()
      return url
    }

    private func install(_ compiled: URL) throws {
      try storage.createFolder(folder)
      // The compiler's folder may be on another volume, where a move is a copy that can be cut
      // short. Go next to the target first: the last step is then one rename.
      let partial = partial
      defer { try? storage.remove(partial) }
      try storage.move(compiled, to: partial)
      storage.excludeFromBackup(partial)
      if url.isExistingDirectory != nil, !isComplete { discard(url) }
      do {
        try storage.move(partial, to: url)
      } catch  where isComplete {
        // Another process of the app was faster.
      }
    }

    /// Away by a rename first: another process must never see half a model.
    private func discard(_ url: URL) {
      let partial = partial
      try? storage.move(url, to: partial)
      try? storage.remove(partial)
    }

    private func removeStale() {
      for name in (try? storage.names(in: folder)) ?? [] {
        let item = folder.appendingPathComponent(name)
        if name.hasSuffix(".mlmodelc") {
          let marker = folder.appendingPathComponent(name + ".used")
          // Without a marker its process died, or the disk was full, between two steps.
          guard let used = day(in: marker) ?? (name.hasSuffix(suffix) ? markedNow(name) : nil),
            name.hasSuffix(suffix), today - used <= CompiledModelCache.daysKept
          else {
            discard(item)
            try? storage.remove(marker)
            continue
          }
        } else if name.hasSuffix(".partial") {
          let made = name.dropFirst().split(separator: "-").first.flatMap { Int($0) } ?? 0
          if today - made > 1 { try? storage.remove(item) }
        }
      }
    }

    private func markedNow(_ name: String) -> Int {
      mark(name)
      return today
    }
  }
}
