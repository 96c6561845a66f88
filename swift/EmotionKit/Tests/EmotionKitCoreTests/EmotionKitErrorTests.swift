import Foundation
import Testing

@testable import EmotionKitCore

@Suite struct EmotionKitErrorTests {
  /// Every case says what happened and what to do.
  @Test(arguments: [
    EmotionKitError.cameraUnauthorized, .cameraUnavailable(reason: "there is none"),
    .modelNotFound(searched: []), .unsupportedModelFile(URL(fileURLWithPath: "/a.txt")),
    .modelIsLFSPointer(URL(fileURLWithPath: "/a")),
    .modelDamaged(URL(fileURLWithPath: "/a"), reason: "r"),
    .modelDownloadFailed(URL(fileURLWithPath: "/a"), reason: "r"),
    .storageFailed(URL(fileURLWithPath: "/a"), reason: "r"),
    .contractMismatch(field: "f", expected: "e", found: "x"),
    .modelFileChanged(path: "p", expected: "e", found: "x"),
    .modelCompileFailed(URL(fileURLWithPath: "/a"), reason: "r"),
    .modelLoadFailed(URL(fileURLWithPath: "/a"), reason: "r"), .inferenceFailed(reason: "r"),
    .canaryFailed(
      CanaryReport(model: "m", system: "s", device: "d", chosen: .cpuOnly, verdicts: [])),
    .invalidProbabilities(reason: "r"), .invalidRegion(reason: "r"),
    .unreadableImage(reason: "r"), .unreadableVideo(reason: "r"),
  ])
  func everyErrorHelps(error: EmotionKitError) throws {
    let description = try #require(error.errorDescription)
    #expect(description.hasSuffix("."))
    #expect(error.localizedDescription == description)
    #expect(try #require(error.recoverySuggestion).hasSuffix("."))
  }
}
