import Foundation

extension ModelContract: Codable {
  private enum Key: String, CodingKey {
    case schema, version, architecture, labels, preprocess, temperature, input, outputs, demo
    case checkpointSHA256 = "checkpoint_sha256"
  }

  private enum OutputKey: String, CodingKey {
    case label, probabilities
  }

  /// Decodes and validates.
  ///
  /// - Throws: ``EmotionKitError/contractMismatch(field:expected:found:)``, or a `DecodingError`.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    // Schema and version first: the rest of another version means nothing to us.
    let schema = try fields.decode(String.self, forKey: .schema)
    try require(schema == Self.schema, "schema", expected: Self.schema, found: schema)
    let version = try fields.decode(Int.self, forKey: .version)
    try require(
      Self.versions.contains(version), "version",
      expected: "\(Self.versions.lowerBound) to \(Self.versions.upperBound)", found: "\(version)")

    let names = try fields.decode([String].self, forKey: .labels)
    if version == 1 {
      let known = Emotion.known.map(\.rawValue)
      try require(
        names.sorted() == known.sorted(), "labels",
        expected: "each of \(known) once, in any order", found: "\(names)")
    } else if let fault = LabelRules.fault(in: names) {
      throw EmotionKitError.contractMismatch(
        field: "labels", expected: "2 to 64 different names", found: fault)
    }

    architecture = try fields.decode(String.self, forKey: .architecture)
    labels = names.map(Emotion.init(rawValue:))
    displayLabels = Emotion.displayOrder(labels)
    preprocess = try fields.decode(Preprocess.self, forKey: .preprocess)
    // Models of earlier exporters have none, and divide nothing.
    temperature =
      fields.contains(.temperature) ? try fields.decode(Double.self, forKey: .temperature) : 1
    try require(
      temperature.isFinite && temperature > 0, "temperature", expected: "a number above 0",
      found: "\(temperature)")
    input = try fields.decode(String.self, forKey: .input)
    let outputs = try fields.nestedContainer(keyedBy: OutputKey.self, forKey: .outputs)
    labelOutput = try outputs.decode(String.self, forKey: .label)
    probabilitiesOutput = try outputs.decode(String.self, forKey: .probabilities)
    for (field, name) in [
      ("architecture", architecture), ("input", input), ("outputs.label", labelOutput),
      ("outputs.probabilities", probabilitiesOutput),
    ] {
      try require(!name.isEmpty, field, expected: "a name", found: "an empty text")
    }
    checkpointSHA256 = try fields.decode(String.self, forKey: .checkpointSHA256)
    try require(
      checkpointSHA256.count == 64 && checkpointSHA256.allSatisfy(\.isLowercaseHexDigit),
      "checkpoint_sha256", expected: "64 lowercase hexadecimal digits", found: checkpointSHA256)
    isDemo = try fields.decode(Bool.self, forKey: .demo)
  }

  /// Encodes the same JSON object the exporter writes.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    try fields.encode(Self.schema, forKey: .schema)
    // The oldest that can say it: apps with an earlier EmotionKit read it, too.
    let isEight = labels.count == Emotion.known.count && Emotion.known.allSatisfy(labels.contains)
    try fields.encode(isEight && preprocess.color != .bgr ? 1 : 2, forKey: .version)
    try fields.encode(architecture, forKey: .architecture)
    try fields.encode(labels, forKey: .labels)
    try fields.encode(preprocess, forKey: .preprocess)
    try fields.encode(temperature, forKey: .temperature)
    try fields.encode(input, forKey: .input)
    var outputs = fields.nestedContainer(keyedBy: OutputKey.self, forKey: .outputs)
    try outputs.encode(labelOutput, forKey: .label)
    try outputs.encode(probabilitiesOutput, forKey: .probabilities)
    try fields.encode(checkpointSHA256, forKey: .checkpointSHA256)
    try fields.encode(isDemo, forKey: .demo)
  }
}

extension ModelContract.Preprocess: Codable {
  private enum CodingKeys: String, CodingKey {
    case cropMargin = "crop_margin"
    case inputSize = "input_size"
    case resize, color, mean, std
  }

  /// Decodes and validates.
  ///
  /// - Throws: ``EmotionKitError/contractMismatch(field:expected:found:)``, or a `DecodingError`.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    cropMargin = try fields.decode(Double.self, forKey: .cropMargin)
    try require(
      (0...2).contains(cropMargin), "preprocess.crop_margin", expected: "0 to 2",
      found: "\(cropMargin)")
    inputSize = try fields.decode(Int.self, forKey: .inputSize)
    try require(
      (32...1024).contains(inputSize), "preprocess.input_size", expected: "32 to 1024 pixels",
      found: "\(inputSize)")
    resize = try fields.decode(String.self, forKey: .resize)
    try require(
      resize == "bilinear-antialias", "preprocess.resize", expected: "bilinear-antialias",
      found: resize)
    let colorName = try fields.decode(String.self, forKey: .color)
    let allowed = ModelContract.Color.allCases.map(\.rawValue).joined(separator: " or ")
    guard let color = ModelContract.Color(rawValue: colorName) else {
      throw EmotionKitError.contractMismatch(
        field: "preprocess.color", expected: allowed, found: colorName)
    }
    self.color = color
    mean = try fields.decode([Double].self, forKey: .mean)
    try require(
      mean.count == 3 && mean.allSatisfy((0...1).contains), "preprocess.mean",
      expected: "three numbers from 0 to 1", found: "\(mean)")
    std = try fields.decode([Double].self, forKey: .std)
    try require(
      std.count == 3 && std.allSatisfy { $0 > 0 && $0 <= 1 }, "preprocess.std",
      expected: "three numbers above 0 and up to 1", found: "\(std)")
  }

  /// Encodes the same JSON object the exporter writes.
  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(cropMargin, forKey: .cropMargin)
    try fields.encode(inputSize, forKey: .inputSize)
    try fields.encode(resize, forKey: .resize)
    try fields.encode(color, forKey: .color)
    try fields.encode(mean, forKey: .mean)
    try fields.encode(std, forKey: .std)
  }
}

extension EmotionKitError {
  /// Names the field of a JSON object that could not be decoded.
  static func contractMismatch(decoding error: any Error) -> EmotionKitError {
    func field(_ path: [any CodingKey], _ last: (any CodingKey)? = nil) -> String {
      let names = (path + [last].compactMap { $0 }).map {
        $0.intValue.map(String.init) ?? $0.stringValue
      }
      return names.isEmpty ? "the whole text" : names.joined(separator: ".")
    }
    switch error {
    case DecodingError.keyNotFound(let key, let context):
      return .contractMismatch(
        field: field(context.codingPath, key), expected: "a value", found: "nothing")
    // Foundation reports null as the one on Apple systems and as the other elsewhere.
    case DecodingError.typeMismatch(let type, let context),
      DecodingError.valueNotFound(let type, let context):
      return .contractMismatch(
        field: field(context.codingPath), expected: "\(type)", found: "another type or null")
    case DecodingError.dataCorrupted(let context):
      return .contractMismatch(
        field: field(context.codingPath), expected: "valid JSON", found: context.debugDescription)
    default:
      return .contractMismatch(
        field: "the whole text", expected: "a JSON object", found: "\(error)")
    }
  }
}

private func require(
  _ condition: Bool, _ field: String, expected: String, found: String
) throws(EmotionKitError) {
  if !condition { throw .contractMismatch(field: field, expected: expected, found: found) }
}

extension Character {
  /// True for 0...9 and a...f.
  var isLowercaseHexDigit: Bool {
    ("0"..."9").contains(self) || ("a"..."f").contains(self)
  }
}
