import EmotionKitCore
import Foundation
import Testing

@Suite struct ModelLocatorTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test func theErrorListsEveryPlace() {
    let places = [folder.url, folder.url.appendingPathComponent("elsewhere")]
    do {
      _ = try ModelLocator(directories: places).locate()
      Issue.record("found a model in an empty folder")
    } catch {
      #expect(error == .modelNotFound(searched: places))
      #expect(error.errorDescription?.contains("elsewhere") == true)
      #expect(error.recoverySuggestion?.contains("ferconv package") == true)
    }
  }

  @Test func compiledBeforePackageBeforeFile() throws {
    let locator = ModelLocator(directories: [folder.url])
    try folder.write("model", to: "EmotionNet.mlmodel")
    #expect(try locator.locate().kind == .mlmodel)
    try folder.write("{}", to: "EmotionNet.mlpackage/Manifest.json")
    try folder.write("m", to: "EmotionNet.mlpackage/Data/model.mlmodel")
    #expect(try locator.locate().kind == .mlpackage)
    try folder.write("c", to: "EmotionNet.mlmodelc/coremldata.bin")
    let found = try locator.locate()
    #expect(found.kind == .mlmodelc)
    #expect(found.directory.path == folder.url.path)
  }

  @Test func theFirstFolderWins() throws {
    let other = try TemporaryFolder()
    try other.write("model", to: "EmotionNet.mlmodel")
    try folder.write("model", to: "EmotionNet.mlmodel")
    let found = try ModelLocator(directories: [other.url, folder.url]).locate()
    #expect(found.url.path.hasPrefix(other.url.path))
  }

  @Test func aDamagedModelIsReportedNotPassedOver() throws {
    try folder.write("x", to: "EmotionNet.mlmodelc/metadata.json")
    try folder.write("model", to: "EmotionNet.mlmodel")
    #expect(
      throws: EmotionKitError.modelDamaged(
        folder.url.appendingPathComponent("EmotionNet.mlmodelc"),
        reason: "coremldata.bin is missing")
    ) { try ModelLocator(directories: [folder.url]).locate() }
  }

  @Test(arguments: ["EmotionNet.mlmodel", "EmotionNet.mlpackage/Data/weights/weight.bin"])
  func aGitLFSPointerIsRecognised(path: String) throws {
    let pointer = try folder.write(
      "version https://git-lfs.example/spec/v1\noid sha256:ab\nsize 4\n", to: path)
    let model = folder.url.appendingPathComponent(path.components(separatedBy: "/")[0])
    #expect(throws: EmotionKitError.modelIsLFSPointer(pointer)) {
      try ModelLocator.inspect(model)
    }
  }

  @Test func anExplicitPlaceIsTakenAtItsWord() throws {
    let missing = folder.url.appendingPathComponent("Mine.mlpackage")
    #expect(throws: EmotionKitError.modelNotFound(searched: [missing])) {
      try ModelLocator.inspect(missing)
    }
    let text = try folder.write("hello", to: "notes.txt")
    #expect(throws: EmotionKitError.unsupportedModelFile(text)) { try ModelLocator.inspect(text) }
    let file = try folder.write("not a folder", to: "File.mlpackage")
    #expect(throws: EmotionKitError.self) { try ModelLocator.inspect(file) }
    let mine = try folder.write("model", to: "Mine.mlmodel")
    #expect(try ModelLocator.inspect(mine).kind == .mlmodel)
  }
}
