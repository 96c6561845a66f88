import Foundation

/// Compiles a model once for each version of the model and of the operating system.
///
/// Core ML keeps its hardware-specialised form only for a compiled model at a stable path; one
/// compiled to a temporary folder on every launch is specialised on every launch.
public actor CompiledModelCache {
  /// Turns an uncompiled model into a `.mlmodelc` anywhere on disk.
  public typealias Compiler = @Sendable (URL) async throws -> URL

  private let directory: URL
  private let osBuild: String
  private var running: [String: Task<URL, any Error>] = [:]

  /// Creates a cache.
  ///
  /// - Parameters:
  ///   - directory: a folder of this cache's own; created when needed.
  ///   - osBuild: changes with the operating system, whose update invalidates compiled models.
  public init(
    directory: URL,
    osBuild: String = ProcessInfo.processInfo.operatingSystemVersionString
  ) {
    self.directory = directory
    self.osBuild = osBuild.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
  }

  /// `Application Support/EmotionKit`, which the system does not purge and the app owns.
  public static var defaultDirectory: URL {
    let fileManager = FileManager.default
    let base = fileManager.urls(for: .applicationSupportDirectory, in: .userDomainMask).first
    return (base ?? fileManager.temporaryDirectory).appendingPathComponent("EmotionKit")
  }

  /// Returns the compiled model, compiling it if this is the first time.
  ///
  /// Callers that ask at the same time wait for one compilation. A failure is not remembered. The
  /// model appears in the cache whole or not at all; older versions of the same model are removed.
  ///
  /// - Parameter hash: of the model's content.
  /// - Throws: ``EmotionKitError/modelCompileFailed(_:reason:)``.
  public func compiledModel(
    for model: URL, hash: String, compile: @escaping Compiler
  ) async throws -> URL {
    let folder = directory.appendingPathComponent(
      model.deletingPathExtension().lastPathComponent)
    let target = folder.appendingPathComponent(
      "\(hash.prefix(16))-\(osBuild).mlmodelc", isDirectory: true)
    if target.isExistingDirectory != nil { return target }

    if let existing = running[target.path] { return try await existing.value }
    let task = Task { try await Self.build(model, in: folder, target: target, compile: compile) }
    running[target.path] = task
    defer { running[target.path] = nil }
    return try await task.value
  }

  private static func build(
    _ model: URL, in folder: URL, target: URL, compile: Compiler
  ) async throws -> URL {
    let fileManager = FileManager.default
    do {
      let compiled = try await compile(model)
      try fileManager.createDirectory(at: folder, withIntermediateDirectories: true)
      // The compiler's temporary folder may be on another volume, where a move is a copy that can
      // be cut short. Copy next to the target first: the last step is then one rename.
      let partial = folder.appendingPathComponent(".\(UUID().uuidString).partial")
      defer { try? fileManager.removeItem(at: partial) }
      try fileManager.moveItem(at: compiled, to: partial)
      excludeFromBackup(partial)
      do {
        try fileManager.moveItem(at: partial, to: target)
      } catch  where target.isExistingDirectory != nil {
        // Another process of the app, such as an extension, was faster.
      }
      removeOthers(than: target, in: folder)
      return target
    } catch let error as EmotionKitError {
      throw error
    } catch {
      throw EmotionKitError.modelCompileFailed(model, reason: error.localizedDescription)
    }
  }

  private static func removeOthers(than target: URL, in folder: URL) {
    let fileManager = FileManager.default
    let names = (try? fileManager.contentsOfDirectory(atPath: folder.path)) ?? []
    for name in names where name.hasSuffix(".mlmodelc") && name != target.lastPathComponent {
      try? fileManager.removeItem(at: folder.appendingPathComponent(name))
    }
  }

  private static func excludeFromBackup(_ url: URL) {
    #if canImport(Darwin)
      var url = url
      var values = URLResourceValues()
      values.isExcludedFromBackup = true
      try? url.setResourceValues(values)
    #endif
  }
}
