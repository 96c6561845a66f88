import EmotionKitCore
import Foundation
import Testing

@Suite struct ModelContractTests {
  @Test func readsWhatTheExporterWrites() throws {
    let contract = try ModelContract.parse(ContractJSON.valid)
    #expect(contract.architecture == "efficientnet_b0")
    #expect(contract.labels == Emotion.known)
    #expect(contract.preprocess.cropMargin == 0.3)
    #expect(contract.preprocess.inputSize == 48)
    #expect(contract.preprocess.color == .gray)
    #expect(contract.preprocess.std == [0.229, 0.224, 0.225])
    #expect(contract.temperature == 1.5)
    #expect(contract.probabilitiesOutput == "classLabel_probs")
    #expect(!contract.isDemo)
  }

  @Test func theModelsOwnLabelOrderIsKept() throws {
    let swapped = ContractJSON.replacing(#""anger", "disgust""#, with: #""disgust", "anger""#)
    let contract = try ModelContract.parse(swapped)
    #expect(contract.labels.prefix(3) == [.disgust, .anger, .fear])
    try contract.validate(classLabels: contract.labels.map(\.rawValue))
    #expect(throws: EmotionKitError.self) {
      try contract.validate(classLabels: Emotion.known.map(\.rawValue))
    }
  }

  @Test func versionTwoCarriesAnyLabels() throws {
    let three = ContractJSON.labelled("pain", "neutral", "engaged")
    let contract = try ModelContract.parse(three)
    #expect(contract.labels.map(\.rawValue) == ["pain", "neutral", "engaged"])
    #expect(contract.displayLabels.map(\.rawValue) == ["neutral", "pain", "engaged"])
    try contract.validate(classLabels: ["pain", "neutral", "engaged"])
    let again = String(decoding: try JSONEncoder().encode(contract), as: UTF8.self)
    #expect(again.contains("\"version\":2"))
    #expect(try ModelContract.parse(again) == contract)
    // Version 1 is about the eight alone.
    let seven = ContractJSON.labelled(
      "anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    #expect(try ModelContract.parse(seven).labels == Emotion.known.dropLast())
    let older = seven.replacingOccurrences(of: "\"version\": 2", with: "\"version\": 1")
    #expect(throws: EmotionKitError.self) { try ModelContract.parse(older) }
  }

  @Test func theEightAreWrittenAsVersionOne() throws {
    let contract = try ModelContract.parse(ContractJSON.valid)
    let json = String(decoding: try JSONEncoder().encode(contract), as: UTF8.self)
    #expect(json.contains("\"version\":1"))
  }

  @Test func blueGreenRedIsReadAndWrittenAsVersionTwo() throws {
    let contract = try ModelContract.parse(ContractJSON.replacing("\"gray\"", with: "\"bgr\""))
    #expect(contract.preprocess.color == .bgr)
    let json = String(decoding: try JSONEncoder().encode(contract), as: UTF8.self)
    #expect(json.contains("\"version\":2"))
    #expect(try ModelContract.parse(json) == contract)
  }

  /// One change each; the error must name the field and show what was found.
  @Test(arguments: [
    ("\"emotionkit.contract\"", "\"other\"", "schema", "other"),
    ("\"version\": 1", "\"version\": 3", "version", "3"),
    ("\"version\": 1", "\"version\": 0", "version", "0"),
    ("\"disgust\"", "\"anger\"", "labels", "anger"),
    ("\"contempt\"", "\"boredom\"", "labels", "boredom"),
    ("0.3", "-0.3", "preprocess.crop_margin", "-0.3"),
    ("size\": 48", "size\": 0", "preprocess.input_size", "0"),
    ("size\": 48", "size\": \"48\"", "preprocess.input_size", "another type"),
    ("bilinear-antialias", "nearest", "preprocess.resize", "nearest"),
    ("\"gray\"", "\"cmyk\"", "preprocess.color", "cmyk"),
    ("0.485, ", "", "preprocess.mean", "[0.456, 0.406]"),
    ("0.229", "0", "preprocess.std", "[0.0, 0.224, 0.225]"),
    ("1.5", "0", "temperature", "0.0"),
    ("1.5", "-1.5", "temperature", "-1.5"),
    ("1.5", "null", "temperature", "another type"),
    ("1.5", "\"1.5\"", "temperature", "another type"),
    ("\"image\"", "\"\"", "input", "an empty text"),
    ("\"label\": \"classLabel\", ", "", "outputs.label", "nothing"),
    ("abab", "ABAB", "checkpoint_sha256", "ABAB"),
    ("\"demo\": false", "\"demo\": null", "demo", "another type"),
    (", \"demo\": false", "", "demo", "nothing"),
  ])
  func everyFieldIsChecked(old: String, new: String, field: String, found: String) throws {
    let json = ContractJSON.replacing(old, with: new)
    #expect(json != ContractJSON.valid)
    do {
      _ = try ModelContract.parse(json)
      Issue.record("accepted \(new)")
    } catch {
      guard case .contractMismatch(let errorField, let expected, let errorFound) = error else {
        throw error
      }
      #expect(errorField == field)
      #expect(errorFound.contains(found))
      #expect(!expected.isEmpty)
      #expect(error.errorDescription?.contains(field) == true)
    }
  }

  @Test func aModelOfAnEarlierExporterDividesNothing() throws {
    let older = ContractJSON.replacing("\"temperature\": 1.5, ", with: "")
    #expect(older != ContractJSON.valid)
    #expect(try ModelContract.parse(older).temperature == 1)
  }

  @Test(arguments: ["", "not json", "[]", "{}", "null"])
  func textThatIsNoContractIsRefused(json: String) {
    #expect(throws: EmotionKitError.self) { try ModelContract.parse(json) }
  }

  @Test func encodingGivesTheSameContractAgain() throws {
    let contract = try ModelContract.parse(ContractJSON.valid)
    let json = String(decoding: try JSONEncoder().encode(contract), as: UTF8.self)
    #expect(try ModelContract.parse(json) == contract)
  }

  @Test func aDemonstrationSaysWhatItIs() throws {
    #expect(try ModelContract.parse(ContractJSON.replacing("false", with: "true")).isDemo)
    #expect(ModelContract.demoNotice.contains("knows nothing about people"))
  }

  @Test(arguments: [("0.3", "0.25", "preprocess"), ("1.5", "1.6", "temperature")])
  func twoCopiesMustAgree(old: String, new: String, field: String) throws {
    let contract = try ModelContract.parse(ContractJSON.valid)
    try contract.validate(equals: contract)
    let other = try ModelContract.parse(ContractJSON.replacing(old, with: new))
    do {
      try contract.validate(equals: other)
      Issue.record("accepted another \(field)")
    } catch {
      guard case .contractMismatch(field: field, _, _) = error else { throw error }
    }
  }
}
