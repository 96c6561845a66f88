import Foundation

/// The `canary.json` beside a model: a few drawn faces and the checkpoint's answers to them.
///
/// Python has the same rule, in `fer_convert/parity/canary.py`.
package struct Canary: Hashable, Sendable {
  /// The schema name this version reads.
  package static let schema = "emotionkit.canary"
  /// The schema version this version reads.
  package static let version = 1
  /// The file's name.
  package static let fileName = "canary.json"
  /// More than any exporter writes: 8 faces of 64 pixels are 132 kB.
  package static let mostBytes = 1 << 20

  /// How far answers may be from the checkpoint's.
  package struct Limits: Codable, Hashable, Sendable {
    /// No probability may differ by more.
    package let most: Double
    /// Nor by more than this on more faces than ``beyondUsual``.
    package let usual: Double
    /// How many faces may differ by more than ``usual``.
    package let beyondUsual: Int
    /// The first label may change where the first two probabilities are at most this far apart.
    package let nearTie: Double?

    private enum CodingKeys: String, CodingKey {
      case most = "max_abs_dp"
      case usual = "usual_abs_dp"
      case beyondUsual = "beyond_usual"
      case nearTie = "near_tie"
    }
  }

  /// One picture.
  package struct Face: Hashable, Sendable {
    /// Of the fixture it was made from.
    package let name: String
    /// What the checkpoint answers.
    package let expected: EmotionDistribution
    /// Red, green, blue of each pixel of the network's whole input, row by row.
    package let pixels: [UInt8]
  }

  /// Width and height of every picture.
  package let inputSize: Int
  /// How far answers may be from the checkpoint's.
  package let limits: Limits
  /// All of them are asked.
  package let faces: [Face]
}

extension Canary {
  /// How a unit did.
  package struct Judgement: Hashable, Sendable {
    /// What was wrong; nil for nothing.
    package let fault: String?
    /// Nil when an answer is missing.
    package let maximumDifference: Double?
  }

  /// Compares a unit's answers with the checkpoint's.
  ///
  /// - Parameter answers: one for each face; nil where the unit's numbers are no distribution.
  package func judge(_ answers: [EmotionDistribution?]) -> Judgement {
    var largest = 0.0
    var beyond = 0
    var fault: String?
    for (face, answer) in zip(faces, answers) {
      guard let answer else {
        return Judgement(
          fault: "the answer to \(face.name) is no probabilities", maximumDifference: nil)
      }
      let difference = face.expected.labels.map { abs(answer[$0] - face.expected[$0]) }.max() ?? 0
      largest = max(largest, difference)
      beyond += difference > limits.usual ? 1 : 0
      let expected = face.expected.top.emotion
      let changed = answer.top.emotion != expected && !isNearTie(face.expected)
      if fault == nil, changed {
        fault = "\(face.name) is \(answer.top.emotion) instead of \(expected)"
      } else if fault == nil, difference > limits.most {
        fault = "\(face.name) differs by \(rounded(difference)), allowed \(limits.most)"
      }
    }
    if answers.count != faces.count {
      return Judgement(
        fault: "\(answers.count) of \(faces.count) faces were answered", maximumDifference: nil)
    }
    if fault == nil, beyond > limits.beyondUsual {
      fault =
        "\(beyond) of \(faces.count) faces differ by more than \(limits.usual), "
        + "allowed \(limits.beyondUsual); the largest difference is \(rounded(largest))"
    }
    return Judgement(fault: fault, maximumDifference: largest)
  }

  private func isNearTie(_ distribution: EmotionDistribution) -> Bool {
    guard let nearTie = limits.nearTie else { return false }
    let sorted = distribution.probabilities.sorted(by: >)
    return sorted[0] - sorted[1] <= nearTie
  }

  private func rounded(_ value: Double) -> Double { (value * 1e5).rounded() / 1e5 }
}

extension Canary {
  private struct Written: Decodable {
    struct Face: Decodable {
      let name: String
      let probabilities: [Double]
      let pixels: Data
    }
    let schema: String
    let version: Int
    let checkpoint_sha256: String
    let labels: [String]
    let input_size: Int
    let side: Int
    let `repeat`: Int
    let limits: Limits
    let faces: [Face]
  }

  /// Reads a canary and holds it to the model's contract.
  ///
  /// - Throws: ``EmotionKitError/contractMismatch(field:expected:found:)``, which names the field.
  package static func parse(
    _ data: Data, contract: ModelContract
  ) throws(EmotionKitError) -> Canary {
    let written: Written
    do {
      written = try JSONDecoder().decode(Written.self, from: data)
    } catch {
      throw .contractMismatch(decoding: error)
    }
    func demand(
      _ field: String, _ holds: Bool, _ expected: String, _ found: String
    ) throws(EmotionKitError) {
      guard !holds else { return }
      throw .contractMismatch(field: "canary.\(field)", expected: expected, found: found)
    }
    let size = contract.preprocess.inputSize
    let labels = contract.labels.map(\.rawValue)
    try demand(
      "schema", written.schema == schema && written.version == version,
      "\(schema) version \(version)", "\(written.schema) version \(written.version)")
    try demand(
      "checkpoint_sha256", written.checkpoint_sha256 == contract.checkpointSHA256,
      contract.checkpointSHA256, written.checkpoint_sha256)
    try demand("labels", written.labels == labels, "\(labels)", "\(written.labels)")
    try demand("input_size", written.input_size == size, "\(size)", "\(written.input_size)")
    let (side, times) = (written.side, written.repeat)
    try demand(
      "side", (1...size).contains(side) && (1...size).contains(times) && side * times >= size,
      "a side that, repeated, covers \(size) pixels", "\(side) repeated \(times) times")
    try demand("faces", (4...8).contains(written.faces.count), "4 to 8", "\(written.faces.count)")
    let limits = written.limits
    let ranged = [limits.most, limits.usual, limits.nearTie ?? 0].allSatisfy {
      (0...1).contains($0)
    }
    try demand(
      "limits", ranged && (0...8).contains(limits.beyondUsual), "differences between 0 and 1",
      "\(limits)")
    var faces: [Face] = []
    for face in written.faces {
      try demand(
        "pixels", face.pixels.count == 3 * side * side, "\(3 * side * side) bytes",
        "\(face.pixels.count)")
      let sum = face.probabilities.reduce(0, +)
      try demand(
        "probabilities", abs(sum - 1) < 1e-3, "numbers that sum to 1", "\(face.probabilities)")
      let expected: EmotionDistribution
      do {
        expected = try EmotionDistribution(weights: face.probabilities, labels: contract.labels)
      } catch {
        throw .contractMismatch(
          field: "canary.probabilities", expected: "probabilities of \(labels)",
          found: "\(face.probabilities)")
      }
      faces.append(
        Face(
          name: face.name, expected: expected,
          pixels: enlarged([UInt8](face.pixels), side: side, times: times, to: size)))
    }
    return Canary(inputSize: size, limits: limits, faces: faces)
  }

  /// Every pixel repeated, the last ones cut off.
  private static func enlarged(
    _ pixels: [UInt8], side: Int, times: Int, to size: Int
  ) -> [UInt8] {
    guard times > 1 || side != size else { return pixels }
    var large: [UInt8] = []
    large.reserveCapacity(3 * size * size)
    for y in 0..<size {
      for x in 0..<size {
        let start = 3 * (y / times * side + x / times)
        large += pixels[start..<start + 3]
      }
    }
    return large
  }
}

extension Canary {
  /// Reads the canary that a manifest names.
  ///
  /// - Returns: nil when it names none, or when the file is not there: a model that was fetched by an
  ///   earlier version has none.
  /// - Throws: ``EmotionKitError/modelFileChanged(path:expected:found:)`` or
  ///   ``EmotionKitError/contractMismatch(field:expected:found:)``.
  package static func read(
    in folder: URL, manifest: ModelManifest
  ) throws(EmotionKitError) -> Canary? {
    guard let file = manifest.canary else { return nil }
    try file.check()
    let url = folder.appendingPathComponent(fileName)
    guard url.isExistingDirectory != nil else { return nil }
    let found = (try? Data(contentsOf: url)) ?? Data()
    var sum = SHA256()
    sum.update(found)
    let hash = sum.finalize()
    guard hash == file.sha256 else {
      throw .modelFileChanged(path: fileName, expected: file.sha256, found: hash)
    }
    return try parse(found, contract: manifest.contract)
  }
}
