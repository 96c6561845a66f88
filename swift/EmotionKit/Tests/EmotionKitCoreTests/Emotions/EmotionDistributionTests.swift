import EmotionKitCore
import Foundation
import Testing

@Suite struct EmotionDistributionTests {
  @Test func canonicalOrderIsTheContractOfTheWholeToolchain() {
    #expect(
      Emotion.known.map(\.rawValue) == [
        "anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt",
      ])
  }

  @Test func labelsAreMatchedByNameNotByPosition() throws {
    var labelled = Dictionary(uniqueKeysWithValues: Emotion.known.map { ($0.rawValue, 0.0) })
    labelled["contempt"] = 0.75
    labelled["fear"] = 0.25
    let distribution = try EmotionDistribution(labelled: labelled)
    #expect(distribution[.contempt] == 0.75)
    #expect(distribution[.fear] == 0.25)
    #expect(distribution.top.emotion == .contempt)
    #expect(distribution.ranked.map(\.emotion).prefix(3) == [.contempt, .fear, .anger])
  }

  @Test func labelsAreTheModels() throws {
    let pain = Emotion(rawValue: "pain")
    let distribution = try EmotionDistribution(
      weights: [3, 1, 4], labels: [pain, .neutral, .anger])
    #expect(distribution.labels == [.anger, .neutral, pain])  // in display order
    #expect(distribution.probabilities == [0.5, 0.125, 0.375])
    #expect(distribution[pain] == 0.375 && distribution[.happiness] == 0)
    #expect(distribution.ranked.map(\.emotion) == [.anger, pain, .neutral])
    let same = try EmotionDistribution(
      labelled: ["anger": 4, "pain": 3, "neutral": 1], labels: [.neutral, .anger, pain])
    #expect(same == distribution)
    let data = try JSONEncoder().encode(distribution)
    #expect(try JSONDecoder().decode(EmotionDistribution.self, from: data) == distribution)
  }

  /// 8 and 16 are where the numbers move on to other storage.
  @Test(arguments: [2, 7, 8, 9, 15, 16, 17, 40, 64])
  func anyNumberOfLabels(count: Int) throws {
    let labels = (0..<count).map { Emotion(rawValue: "label \($0)") }
    var generator = SplitMix64(seed: UInt64(count))
    let weights = (0..<count).map { _ in generator.number(in: 0.1...1) }
    let first = try EmotionDistribution(weights: weights, labels: labels)
    let second = try EmotionDistribution(logits: weights, labels: labels)
    let total = weights.reduce(0, +)
    for (label, weight) in zip(labels, weights) {
      #expect(abs(first[label] - weight / total) < 1e-15)
      let mean = first[label] * 0.75 + second[label] * 0.25
      #expect(abs(first.mixed(with: second, weight: 0.25)[label] - mean) < 1e-15)
    }
    #expect(abs(second.probabilities.reduce(0, +) - 1) < 1e-12)
    let largest = try #require(weights.indices.max { weights[$0] < weights[$1] })
    #expect(first.top.emotion == labels[largest] && second.top.emotion == labels[largest])
    #expect(first != second && Set([first, first]).count == 1)
  }

  @Test(arguments: [1, 65]) func tooFewAndTooManyLabelsAreRefused(count: Int) {
    let labels = (0..<count).map { Emotion(rawValue: "label \($0)") }
    #expect(throws: EmotionKitError.self) {
      try EmotionDistribution(weights: Array(repeating: 1, count: count), labels: labels)
    }
  }

  @Test func modelsOfOtherLabelsHaveNoMean() throws {
    let other = try EmotionDistribution(weights: [1, 1], labels: [.anger, .neutral])
    #expect(EmotionDistribution.uniform.mixed(with: other, weight: 0.4) == .uniform)
    #expect(EmotionDistribution.uniform.mixed(with: other, weight: 0.5) == other)
  }

  @Test func missingAndUnknownLabelsAreNamed() {
    var labelled = Dictionary(uniqueKeysWithValues: Emotion.known.map { ($0.rawValue, 0.125) })
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
    let alphabetical = Emotion.known.sorted { $0.rawValue < $1.rawValue }
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
      #expect(a.top.emotion == Emotion.known[largest])
      #expect(b.top.emotion == Emotion.known[largest])
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
    #expect(Set(object.keys) == Set(Emotion.known.map(\.rawValue)))
    let decoded = try JSONDecoder().decode(EmotionDistribution.self, from: data)
    #expect(abs(decoded[.sadness] - 0.9) < 1e-12)
  }
}
