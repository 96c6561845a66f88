import EmotionKitCore
import Foundation
import Testing

@Suite struct SHA256Tests {
  /// FIPS 180-4 and NIST example vectors.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func knownAnswers(text: String, expected: String) {
    #expect(SHA256.hex(text) == expected)
  }

  @Test func aMillionTimesTheLetterA() {
    var hash = SHA256()
    let piece = [UInt8](repeating: 97, count: 10_000)
    for _ in 0..<100 { hash.update(piece) }
    #expect(
      hash.finalize() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func piecesGiveTheHashOfTheWhole() {
    var generator = SplitMix64(seed: 9)
    for length in 0..<200 {
      let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
      var whole = SHA256()
      whole.update(bytes)
      var pieces = SHA256()
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = min(generator.integer(in: 1...70), rest.count)
        pieces.update(rest.prefix(count))
        rest = rest.dropFirst(count)
      }
      #expect(pieces.finalize() == whole.finalize())
    }
  }

  @Test func filesAreReadToTheEnd() throws {
    let folder = try TemporaryFolder()
    let text = String(repeating: "0123456789abcdef", count: 70_000)  // beyond one piece of 1 MiB
    let file = try folder.write(text, to: "large")
    #expect(try SHA256.hex(contentsOf: file) == SHA256.hex(text))
  }
}
