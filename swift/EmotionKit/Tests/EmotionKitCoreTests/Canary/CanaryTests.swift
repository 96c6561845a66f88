import Foundation
import Testing

@testable import EmotionKitCore

@Suite struct CanaryTests {
  // MARK: The file

  @Test func picturesAreEnlargedPixelByPixel() throws {
    let canary = try Canary.parse(Data(Self.json().utf8), contract: Self.contract)
    let pixels = canary.faces[0].pixels
    #expect(canary.faces.count == 4 && pixels.count == 3 * 48 * 48)
    // 25 pixels, each twice, and the last column and row once less.
    #expect(Array(pixels[0..<6]) == [0, 1, 2, 0, 1, 2])
    #expect(Array(pixels[3 * 47..<3 * 48]) == [69, 70, 71])
    #expect(Array(pixels[3 * 48 * 2..<3 * 48 * 2 + 3]) == [75, 76, 77])
  }

  @Test(arguments: [
    ("\"version\": 1", "\"version\": 2", "canary.schema"),
    ("abab", "cdcd", "canary.checkpoint_sha256"),
    ("\"anger\", \"disgust\"", "\"disgust\", \"anger\"", "canary.labels"),
    ("\"input_size\": 48", "\"input_size\": 64", "canary.input_size"),
    ("\"side\": 25", "\"side\": 23", "canary.side"),
    ("\"side\": 25", "\"side\": 26", "canary.pixels"),
    ("\"repeat\": 2", "\"repeat\": 0", "canary.side"),
    ("\"repeat\": 2", "\"repeat\": 9223372036854775807", "canary.side"),
    ("0.86", "1.86", "canary.probabilities"),
    ("0.86, 0.02", "-0.02, 0.9", "canary.probabilities"),
    ("0.86, 0.02", "0.88", "canary.probabilities"),
    ("\"max_abs_dp\": 0.2", "\"max_abs_dp\": 2", "canary.limits"),
    ("\"beyond_usual\": 1", "\"beyond_usual\": -1", "canary.limits"),
    ("\"name\"", "\"nome\"", "faces.0.name"),
  ])
  func whatDoesNotFitIsNamed(old: String, new: String, field: String) {
    let changed = Self.json().replacingOccurrences(of: old, with: new)
    #expect(changed != Self.json())
    do {
      _ = try Canary.parse(Data(changed.utf8), contract: Self.contract)
      Issue.record("accepted \(new)")
    } catch EmotionKitError.contractMismatch(let found, _, _) {
      #expect(found == field)
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test(arguments: ["NaN", "1e999", "null", "\"0.86\""])
  func numbersMustBeNumbers(number: String) {
    let changed = Self.json().replacingOccurrences(of: "0.86", with: number)
    #expect(throws: EmotionKitError.self) {
      try Canary.parse(Data(changed.utf8), contract: Self.contract)
    }
  }

  @Test func fewerThanFourFacesAreTooFew() throws {
    #expect(throws: EmotionKitError.self) {
      try Canary.parse(Data(Self.json(faces: 3).utf8), contract: Self.contract)
    }
  }

  // MARK: The memory

  @Test func aVerdictIsRememberedForOneModelSystemDeviceAndUnit() throws {
    let folder = try TemporaryFolder()
    let memory = CanaryMemory(directory: folder.url, system: "26.0-1A", device: "Phone1,1")
    memory.remember(Self.verdict, model: "m1", canary: "c1")
    let seen = memory.verdict(on: .cpuOnly, model: "m1", canary: "c1")
    #expect(seen?.isRemembered == true && seen?.passed == true)
    #expect(memory.verdict(on: .all, model: "m1", canary: "c1") == nil)
    #expect(memory.verdict(on: .cpuOnly, model: "m2", canary: "c1") == nil)
    #expect(memory.verdict(on: .cpuOnly, model: "m1", canary: "c2") == nil)
    let updated = CanaryMemory(directory: folder.url, system: "26.1-1B", device: "Phone1,1")
    #expect(updated.verdict(on: .cpuOnly, model: "m1", canary: "c1") == nil)
    // What an earlier system was found to do is cleaned away.
    updated.remember(Self.verdict, model: "m1", canary: "c1")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).count == 1)
  }

  @Test(arguments: ["", "{}", "{\"version\": 1", "\u{0}\u{0}"])
  func aDamagedMemoryIsNone(text: String) throws {
    let folder = try TemporaryFolder()
    let memory = CanaryMemory(directory: folder.url, system: "s", device: "d")
    memory.remember(Self.verdict, model: "m", canary: "c")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    try folder.write(text, to: try #require(names.first))
    #expect(memory.verdict(on: .cpuOnly, model: "m", canary: "c") == nil)
  }

  @Test func aFullDiskForgets() throws {
    let folder = try TemporaryFolder()
    let memory = CanaryMemory(
      directory: folder.url, system: "s", device: "d", storage: FullDisk(failing: .write))
    memory.remember(Self.verdict, model: "m", canary: "c")
    #expect(memory.verdict(on: .cpuOnly, model: "m", canary: "c") == nil)
  }

  // MARK: The choice

  @Test func onlyWhatAnAppAskedForIsTried() {
    for units in ComputeUnits.allCases {
      #expect(units.candidates.first == units && units.candidates.last == .cpuOnly)
      #expect(Set(units.candidates).count == units.candidates.count)
    }
    #expect(!ComputeUnits.cpuAndNeuralEngine.candidates.contains(.cpuAndGPU))
  }

  @Test func aRememberedFailureIsAskedAgainWhereNothingElseIsLeft() async throws {
    let folder = try TemporaryFolder()
    let network = FakeUnits(lying: Set(ComputeUnits.allCases))
    let check = CanaryCheck(
      canary: try Canary.parse(Data(Self.json().utf8), contract: Self.contract), model: "m",
      digest: "c", memory: CanaryMemory(directory: folder.url, system: "s", device: "d"))
    for expected in [[ComputeUnits.cpuAndNeuralEngine, .cpuOnly], [.cpuOnly]] {
      network.reset()
      await #expect(throws: EmotionKitError.self) {
        _ = try await check.run(
          [.cpuAndNeuralEngine, .cpuOnly], policy: .enforced, network.handlers)
      }
      #expect(network.opened == expected)
    }
    // The processor was repaired, by whatever it was.
    network.reset(lying: [.cpuAndNeuralEngine])
    let passed = try await check.run(
      [.cpuAndNeuralEngine, .cpuOnly], policy: .enforced, network.handlers)
    #expect(passed.engine == .cpuOnly && passed.report.passed && network.opened == [.cpuOnly])
  }

  private static var contract: ModelContract {
    get throws { try ModelContract.parse(ContractJSON.valid) }
  }

  private static let verdict = CanaryReport.Verdict(
    units: .cpuOnly, passed: true, reason: nil, maximumDifference: 0.01, milliseconds: 3)

  private static func json(faces: Int = 4) -> String {
    let pixels = Data((0..<3 * 25 * 25).map { UInt8(truncatingIfNeeded: $0) })
    let face = """
      {"name": "f", "probabilities": [0.86, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02],
       "pixels": "\(pixels.base64EncodedString())"}
      """
    return """
      {"schema": "emotionkit.canary", "version": 1,
       "checkpoint_sha256": "\(String(repeating: "ab", count: 32))",
       "labels": ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral",
                  "contempt"],
       "input_size": 48, "side": 25, "repeat": 2,
       "limits": {"max_abs_dp": 0.2, "usual_abs_dp": 0.05, "beyond_usual": 1, "near_tie": 0.05},
       "faces": [\(Array(repeating: face, count: faces).joined(separator: ","))]}
      """
  }
}

/// Compute units of which some answer everything with equal probabilities.
private final class FakeUnits: @unchecked Sendable {
  // Read and written under the lock.
  private let lock = NSLock()
  private var lying: Set<ComputeUnits>
  private var units: [ComputeUnits] = []

  init(lying: Set<ComputeUnits>) { self.lying = lying }

  var opened: [ComputeUnits] { lock.withLock { units } }

  func reset(lying: Set<ComputeUnits>? = nil) {
    lock.withLock {
      units = []
      self.lying = lying ?? self.lying
    }
  }

  var handlers: CanaryCheck.Handlers<ComputeUnits> {
    CanaryCheck.Handlers(
      open: { units in
        self.lock.withLock { self.units.append(units) }
        return units
      },
      state: { CanaryCheck.State(active: $0, reason: nil) },
      ask: { units, face in
        self.lock.withLock { self.lying.contains(units) } ? .uniform : face.expected
      })
  }
}
