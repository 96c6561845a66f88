/// What a list of labels must be for a model to be usable. Python writes contracts by the same
/// rules; `golden.json` holds cases that both must judge alike.
enum LabelRules {
  /// How many labels a model may have.
  static let counts = 2...64
  /// The longest name, in Unicode scalars.
  static let longestName = 64

  /// What is wrong with the label names of a contract, or nil.
  ///
  /// - Complexity: O(*n*) in the total length of the names.
  static func fault(in names: [String]) -> String? {
    guard counts.contains(names.count) else {
      return "\(names.count) labels; \(counts.lowerBound) to \(counts.upperBound) can be"
    }
    var seen: Set<String> = []
    for name in names {
      if let fault = fault(inName: name) { return fault }
      // Names that differ in case alone are told apart by nobody who reads them.
      guard seen.insert(asciiLowercased(name)).inserted else {
        return "the label \"\(name)\" twice"
      }
    }
    return nil
  }

  private static func fault(inName name: String) -> String? {
    let scalars = name.unicodeScalars
    guard let first = scalars.first, let last = scalars.last else {
      return "a label without a name"
    }
    guard scalars.count <= longestName else {
      return "a label of \(scalars.count) characters; \(longestName) can be"
    }
    guard !first.properties.isWhitespace, !last.properties.isWhitespace else {
      return "the label \"\(name)\" with spaces around it"
    }
    guard !scalars.contains(where: { $0.properties.generalCategory == .control }) else {
      return "a label with a control character"
    }
    let plain = asciiLowercased(name)
    guard plain == name || !Emotion.known.contains(Emotion(rawValue: plain)) else {
      return "the label \"\(name)\", which is written \"\(plain)\""
    }
    return nil
  }

  private static func asciiLowercased(_ name: String) -> String {
    var lowered = String.UnicodeScalarView()
    for scalar in name.unicodeScalars {
      let upper = ("A"..."Z").contains(scalar)
      lowered.append(upper ? Unicode.Scalar(UInt8(scalar.value) + 32) : scalar)
    }
    return String(lowered)
  }
}
