import EmotionKit
import Foundation

/// What an app does with EmotionKit before it has a camera; the tests run it as a process.
@main
struct Consumer {
  static func main() async {
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      switch (arguments.first, arguments.count) {
      case ("manifest", 1): try manifest()
      case ("compile", 3): try await compile(URL(fileURLWithPath: arguments[1]), arguments[2])
      case ("download", 4): try await download(arguments[1], arguments[2], arguments[3])
      default: throw Failure(text: "usage: manifest | compile DIR LOG | download URL SHA256 DIR")
      }
    } catch {
      let suggestion = (error as? any LocalizedError)?.recoverySuggestion ?? ""
      FileHandle.standardError.write(Data("\(error.localizedDescription) \(suggestion)\n".utf8))
      exit(3)
    }
  }

  private struct Failure: LocalizedError {
    let text: String
    var errorDescription: String? { text }
  }

  /// Prints what the bundled model promises, after hashing every file of it.
  private static func manifest() throws {
    let model = try EmotionModelBundle.locate()
    let manifest = try ModelManifest.read(in: model.directory)
    try manifest.verifyFiles(in: model.directory)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    print(String(decoding: try encoder.encode(manifest), as: UTF8.self))
  }

  /// Asks for a compiled model; the compiler is slow, says in a log that it ran, and fakes it.
  private static func compile(_ folder: URL, _ log: String) async throws {
    let cache = CompiledModelCache(directory: folder.appendingPathComponent("cache"))
    let model = folder.appendingPathComponent("EmotionNet.mlmodel")
    let compiled = try await cache.compiledModel(for: model, hash: "0123456789abcdef") { _ in
      try await Task.sleep(for: .milliseconds(300))
      let result = folder.appendingPathComponent("\(log).mlmodelc")
      try FileManager.default.createDirectory(at: result, withIntermediateDirectories: true)
      try Data(log.utf8).write(to: result.appendingPathComponent("coremldata.bin"))
      try Data().write(to: folder.appendingPathComponent("\(log).compiled"))
      return result
    }
    let content = try Data(contentsOf: compiled.appendingPathComponent("coremldata.bin"))
    print(compiled.path, String(decoding: content, as: UTF8.self))
  }

  /// Downloads over real sockets; prints where the model is and the first and last progress.
  private static func download(_ address: String, _ sha256: String, _ folder: String) async throws {
    guard let url = URL(string: address) else { throw Failure(text: "no address: \(address)") }
    let model = try RemoteModel(url: url, sha256: sha256)
    let downloader = ModelDownloader(directory: URL(fileURLWithPath: folder))
    let located = try await downloader.download(model) { progress in
      print("progress", progress.completedBytes, progress.totalBytes ?? -1)
    }
    let manifest = try ModelManifest.read(in: located.directory)
    try manifest.verifyFiles(in: located.directory)
    print("model", located.url.path)
  }
}
