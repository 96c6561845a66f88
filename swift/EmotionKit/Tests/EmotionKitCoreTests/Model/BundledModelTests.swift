import EmotionKitModel
import Foundation
import Testing

@testable import EmotionKitCore

/// Reads the model in `Sources/EmotionKitModel/Models`, which a package that `ferconv package` wrote has.
@Suite struct BundledModelTests {
  private static let located = Result { try EmotionModelBundle.locate() }

  private static let isPresent: Bool = {
    let isPresent = (try? located.get()) != nil
    print(
      "EmotionKit: bundled model \(isPresent ? "PRESENT, checked" : "ABSENT, nothing to check")")
    return isPresent
  }()

  private static func folder() throws -> URL { try located.get().deletingLastPathComponent() }

  @Test func withoutAModelTheErrorSaysWhereItLooked() throws {
    guard !Self.isPresent else { return }
    let isRequired = ProcessInfo.processInfo.environment["EMOTIONKIT_REQUIRE_MODEL"] == "1"
    #expect(!isRequired, "EMOTIONKIT_REQUIRE_MODEL=1, but no model is bundled: \(Self.located)")
    do {
      _ = try Self.located.get()
    } catch EmotionKitError.modelNotFound(let searched) {
      #expect(searched == EmotionModelBundle.modelDirectories())
      #expect(searched.contains { $0.lastPathComponent == "Models" })
    }
  }

  @Test(.enabled(if: isPresent)) func everyFileIsTheOneInTheManifest() throws {
    let model = try Self.located.get()
    let manifest = try ModelManifest.read(in: Self.folder())
    #expect(manifest.model.file == model.lastPathComponent)
    #expect(try EmotionModelBundle.verify() == model)
    let size = try manifest.model.files.map { file in
      try Data(contentsOf: model.appendingPathComponent(file.path)).count
    }
    #expect(size == manifest.model.files.map(\.bytes))
    #expect(size.reduce(0, +) == manifest.model.bytes)
  }

  @Test(.enabled(if: isPresent)) func theCanaryIsTheManifestsAndTheModelsOwn() throws {
    let manifest = try ModelManifest.read(in: Self.folder())
    guard let file = manifest.canary else {
      print("EmotionKit: no canary in this package")
      return
    }
    let canary = try #require(try Canary.read(in: Self.folder(), manifest: manifest))
    print("EmotionKit: canary of \(canary.faces.count) faces, \(file.bytes) bytes")
    #expect(canary.judge(canary.faces.map(\.expected)).fault == nil)
    #expect(canary.judge(canary.faces.map { _ in nil }).fault != nil)
    #expect(canary.inputSize == manifest.contract.preprocess.inputSize)
    let own = try canary.faces.map { face in
      try EmotionDistribution(
        weights: face.expected.probabilities.reversed(), labels: manifest.contract.displayLabels)
    }
    // A model that hardly tells faces apart answers in reverse almost what it answers forwards.
    let apart = zip(canary.faces, own).flatMap { face, reversed in
      face.expected.labels.map { abs(reversed[$0] - face.expected[$0]) }
    }
    let noticed = canary.judge(own).fault != nil
    if apart.allSatisfy({ $0 <= canary.limits.usual }) {
      print("EmotionKit: the canary's answers are too even to show labels in another order")
    } else if apart.contains(where: { $0 > canary.limits.most }) {
      #expect(noticed, "labels in reverse were not noticed")
    }
  }

  @Test(.enabled(if: isPresent)) func theParityVerdictIsPass() throws {
    let manifest = try ModelManifest.read(in: Self.folder())
    let parity = manifest.parity
    print(
      "EmotionKit: parity \(parity.verdict) on \(parity.images) images by \(parity.runtime), "
        + "gated \(parity.gated), demo \(manifest.contract.isDemo)")
    print("EmotionKit: labels \(manifest.contract.labels.map(\.rawValue).joined(separator: ", "))")
    #expect(parity.verdict == "PASS" || !parity.gated)
    #expect(parity.images > 0)
  }

  /// The contract inside the model file itself, found in its protobuf without Core ML.
  @Test(.enabled(if: isPresent)) func theModelCarriesTheManifestsContract() throws {
    let model = try Self.located.get()
    let manifest = try ModelManifest.read(in: Self.folder())
    let specification = try #require(
      manifest.model.files.first { $0.path.hasSuffix(".mlmodel") }?.path)
    let data = try Data(contentsOf: model.appendingPathComponent(specification))
    let json = try #require(Self.metadata(ModelContract.metadataKey, in: data))
    try ModelContract.parse(json).validate(equals: manifest.contract)
  }

  @Test(.enabled(if: isPresent)) func goldenLabelsMapByNameAndTheTopIsTheLargest() throws {
    let contract = try ModelManifest.read(in: Self.folder()).contract
    let golden = try Golden(contentsOf: Self.folder().appendingPathComponent("golden.json"))
    try golden.check()
    #expect(!golden.images.isEmpty)
    for image in golden.images {
      try #require(image.probabilities.count == contract.labels.count)
      let labelled = zip(contract.labels.map(\.rawValue), image.probabilities)
      let distribution = try EmotionDistribution(
        labelled: Dictionary(uniqueKeysWithValues: labelled), labels: contract.labels)
      #expect(distribution.top.emotion.rawValue == image.top1, "\(image.name)")
      #expect(abs(image.probabilities.reduce(0, +) - 1) < 1e-4, "\(image.name)")
    }
  }

  /// The value of a `map<string, string>` entry: `0x0a` length key `0x12` length value.
  private static func metadata(_ key: String, in data: Data) -> String? {
    let marker = Data([0x0a, UInt8(key.utf8.count)]) + Data(key.utf8) + Data([0x12])
    guard let found = data.range(of: marker) else { return nil }
    var length = 0
    var index = found.upperBound
    for shift in stride(from: 0, to: 35, by: 7) {
      let byte = data[index]
      index += 1
      length |= Int(byte & 0x7f) << shift
      if byte < 0x80 { break }
    }
    guard index + length <= data.endIndex else { return nil }
    return String(decoding: data[index..<index + length], as: UTF8.self)
  }
}
