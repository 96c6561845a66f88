import EmotionKitCore
import Foundation
import Testing

@Suite struct EmotionDistributionTests {
  @Test func canonicalOrderIsTheContractOfTheWholeToolchain() {
    #expect(
      Emotion.allCases.map(\.rawValue) == [
        "anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt",
      ])
    #expect(Emotion.allCases.map(\.canonicalIndex) == Array(0..<8))
  }

  @Test func labelsAreMatchedByNameNotByPosition() throws {
    var labelled = Dictionary(uniqueKeysWithValues: Emotion.allCases.map { ($0.rawValue, 0.0) })
    labelled["contempt"] = 0.75
    labelled["fear"] = 0.25
    let distribution = try EmotionDistribution(labelled: labelled)
    #expect(distribution[.contempt] == 0.75)
    #expect(distribution[.fear] == 0.25)
    #expect(distribution.top.emotion == .contempt)
    #expect(distribution.ranked.map(\.emotion).prefix(3) == [.contempt, .fear, .anger])
  }

  @Test func missingAndUnknownLabelsAreNamed() {
    var labelled = Dictionary(uniqueKeysWithValues: Emotion.allCases.map { ($0.rawValue, 0.125) })
    labelled["fear"] = nil
    #expect(throws: EmotionKitError.invalidProbabilities(reason: "no value for [fear]")) {
      try EmotionDistribution(labelled: labelled)
    }
    labelled["happy"] = 0.1
    #expect(throws: EmotionKitError.invalidProbabilities(reason: "unknown labels [\"happy\"]")) {
      try EmotionDistribution(labelled: labelled)
    }
  }

  @Test(arguments: [
    [Double](repeating: 0, count: 8), [1, .nan, 0, 0, 0, 0, 0, 0], [1, -0.1, 0, 0, 0, 0, 0, 0],
    [.infinity, 0, 0, 0, 0, 0, 0, 0], [0.5, 0.5], [],
  ])
  func unusableWeightsAreRefused(weights: [Double]) {
    #expect(throws: EmotionKitError.self) { try EmotionDistribution(weights: weights) }
  }

  @Test func softmaxSurvivesHugeLogits() throws {
    let high = try EmotionDistribution(logits: [1000, 999, 0, 0, 0, 0, 0, -1000])
    #expect(abs(high[.anger] - 1 / (1 + exp(-1))) < 1e-12)
    #expect(abs(high[.disgust] - exp(-1) / (1 + exp(-1))) < 1e-12)
    #expect(throws: EmotionKitError.self) {
      try EmotionDistribution(logits: [.nan, 0, 0, 0, 0, 0, 0, 0])
    }
  }

  @Test func softmaxFollowsTheModelsLabelOrder() throws {
    let alphabetical = Emotion.allCases.sorted { $0.rawValue < $1.rawValue }
    var logits = [Double](repeating: 0, count: 8)
    logits[try #require(alphabetical.firstIndex(of: .surprise))] = 5
    let distribution = try EmotionDistribution(logits: logits, labels: alphabetical)
    #expect(distribution.top.emotion == .surprise)
    #expect(throws: EmotionKitError.self) {
      try EmotionDistribution(logits: logits, labels: Array(repeating: .anger, count: 8))
    }
  }

  @Test func everyDistributionSumsToOneAndKeepsItsOrder() throws {
    var generator = SplitMix64(seed: 1)
    for _ in 0..<500 {
      let weights = (0..<8).map { _ in generator.number(in: 0...10) }
      let a = try EmotionDistribution(weights: weights)
      let b = try EmotionDistribution(logits: weights)
      let mixed = a.mixed(with: b, weight: generator.number(in: -0.5...1.5))
      for distribution in [a, b, mixed] {
        #expect(abs(distribution.probabilities.reduce(0, +) - 1) < 1e-12)
        #expect(distribution.entropy >= 0 && distribution.entropy <= log(8) + 1e-12)
        let ranked = distribution.ranked.map(\.probability)
        #expect(ranked == ranked.sorted(by: >))
        #expect(distribution.ranked.first?.emotion == distribution.top.emotion)
      }
      let largest = try #require(weights.indices.max { weights[$0] < weights[$1] })
      #expect(a.top.emotion == Emotion.allCases[largest])
      #expect(b.top.emotion == Emotion.allCases[largest])
    }
  }

  @Test func entropyAtItsEnds() throws {
    let certain = try EmotionDistribution(weights: [0, 0, 1, 0, 0, 0, 0, 0])
    #expect(certain.entropy == 0)
    #expect(abs(EmotionDistribution.uniform.entropy - log(8)) < 1e-12)
    #expect(EmotionDistribution.uniform.top.emotion == .anger)
  }

  @Test func codingUsesLabelNames() throws {
    let distribution = EmotionDistribution.mostly(.sadness)
    let data = try JSONEncoder().encode(distribution)
    let object = try JSONDecoder().decode([String: Double].self, from: data)
    #expect(Set(object.keys) == Set(Emotion.allCases.map(\.rawValue)))
    let decoded = try JSONDecoder().decode(EmotionDistribution.self, from: data)
    #expect(abs(decoded[.sadness] - 0.9) < 1e-12)
  }
}
