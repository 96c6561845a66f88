import EmotionKitCore
import Foundation

/// Asks for a compiled model, as an app or its extension does: CompileProcess FOLDER NAME
///
/// The compiler is slow, says in the folder that it ran, and fakes its work. Several of these
/// processes at once show that they share one result.
@main
struct CompileProcess {
  static func main() async throws {
    let folder = URL(fileURLWithPath: CommandLine.arguments[1])
    let name = CommandLine.arguments[2]
    let cache = CompiledModelCache(directory: folder.appendingPathComponent("cache"))
    let model = folder.appendingPathComponent("EmotionNet.mlmodel")
    let compiled = try await cache.compiledModel(for: model, hash: "0123456789abcdef") { _ in
      try await Task.sleep(for: .milliseconds(300))
      let result = folder.appendingPathComponent("\(name).mlmodelc")
      try FileManager.default.createDirectory(at: result, withIntermediateDirectories: true)
      try Data(name.utf8).write(to: result.appendingPathComponent("coremldata.bin"))
      try Data().write(to: folder.appendingPathComponent("\(name).compiled"))
      return result
    }
    let content = try Data(contentsOf: compiled.appendingPathComponent("coremldata.bin"))
    print(compiled.path, String(decoding: content, as: UTF8.self))
  }
}
