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
      case ("download", 4): try await download(arguments[1], arguments[2], arguments[3])
      default: throw Failure(text: "usage: manifest | download URL SHA256 DIR")
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

  /// Prints the manifest of the bundled model, after hashing every file of it.
  private static func manifest() throws {
    let folder = try EmotionModelBundle.verify().deletingLastPathComponent()
    let data = try Data(contentsOf: folder.appendingPathComponent("manifest.json"))
    print(String(decoding: data, as: UTF8.self))
  }

  /// Downloads over real sockets; prints where the model is and the first and last progress.
  private static func download(_ address: String, _ sha256: String, _ folder: String) async throws {
    guard let url = URL(string: address) else { throw Failure(text: "no address: \(address)") }
    let model = try RemoteModel(url: url, sha256: sha256)
    let downloader = ModelDownloader(directory: URL(fileURLWithPath: folder))
    let file = try await downloader.download(model) { progress in
      print("progress", progress.completedBytes, progress.totalBytes ?? -1)
    }
    print("model", file.path)
  }
}
