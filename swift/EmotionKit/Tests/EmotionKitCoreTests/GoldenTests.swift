import Foundation
import Testing

@testable import EmotionKitCore

/// `golden.json`: values Python computed, which Swift must reproduce.
struct Golden: Decodable {
  struct Softmax: Decodable {
    let logits: [Double]
    let probabilities: [Double]
  }
  struct Region: Decodable {
    let image: [Int]
    let box: [Double]
    let margin: Double
    let region: [Double]
  }
  struct LabelList: Decodable {
    let labels: [String]
    let accepted: Bool
  }
  struct CanaryCase: Decodable {
    let limits: Canary.Limits
    let expected: [[Double]]
    /// Nil where the network answered NaN.
    let answers: [[Double?]]
    let passes: Bool
  }
  struct Image: Decodable {
    let name: String
    /// The face's true label; nil for a picture that is no face.
    let label: String?
    let probabilities: [Double]
    let top1: String
  }

  let schema: String
  let version: Int
  let labels: [String]
  let softmax: [Softmax]
  let regions: [Region]
  let labelLists: [LabelList]
  let canaries: [CanaryCase]
  let images: [Image]

  private enum CodingKeys: String, CodingKey {
    case schema, version, labels, softmax, regions, canaries, images
    case labelLists = "label_lists"
  }

  init(contentsOf url: URL) throws {
    self = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
  }

  /// Everything that needs no model. Comparing nothing is a failure.
  func check() throws {
    #expect(schema == "emotionkit.golden" && version == 1)
    #expect(labels == Emotion.known.map(\.rawValue))
    #expect(!softmax.isEmpty && !regions.isEmpty)
    for vector in softmax {
      let distribution = try EmotionDistribution(logits: vector.logits)
      try #require(vector.probabilities.count == 8)
      for (mine, theirs) in zip(distribution.probabilities, vector.probabilities) {
        #expect(abs(mine - theirs) < 1e-9)
      }
    }
    #expect(Set(labelLists.map(\.accepted)) == [true, false])
    for list in labelLists {
      #expect((LabelRules.fault(in: list.labels) == nil) == list.accepted, "\(list.labels)")
    }
    #expect(Set(canaries.map(\.passes)) == [true, false])
    for (number, vector) in canaries.enumerated() {
      let labels: [Emotion] = [.anger, .disgust, .fear]
      let canary = Canary(
        inputSize: 1, limits: vector.limits,
        faces: try vector.expected.map {
          Canary.Face(
            name: "face", expected: try EmotionDistribution(weights: $0, labels: labels),
            pixels: [0, 0, 0])
        })
      let answers = vector.answers.map {
        try? EmotionDistribution(weights: $0.map { $0 ?? .nan }, labels: labels)
      }
      let fault = canary.judge(answers).fault
      #expect((fault == nil) == vector.passes, "case \(number): \(fault ?? "no fault")")
    }
    for vector in regions {
      try #require(vector.image.count == 2 && vector.box.count == 4 && vector.region.count == 4)
      let region = try RegionPlanner(margin: vector.margin).region(
        around: PixelRect(
          x: vector.box[0], y: vector.box[1], width: vector.box[2], height: vector.box[3]),
        in: PixelSize(width: vector.image[0], height: vector.image[1]))
      let mine = [region.x, region.y, region.width, region.height]
      for (a, b) in zip(mine, vector.region) {
        #expect(abs(a - b) < 1e-6, "box \(vector.box) in \(vector.image): \(mine)")
      }
    }
  }
}

@Suite struct GoldenTests {
  @Test func swiftReproducesPythonsNumbers() throws {
    let url = try #require(
      Bundle.module.url(forResource: "golden", withExtension: "json", subdirectory: "Golden"))
    try Golden(contentsOf: url).check()
  }
}
