#if EMOTIONKIT_APPLE_STUBS
  import CoreML
  import Foundation
  import Testing
  import Vision

  @testable import EmotionKit

  extension StubbedAppleLayerTests {
    // MARK: The canary

    @Test(arguments: [false, true])
    func theFirstUnitThatTellsTheTruthIsUsed(usesSwiftVision: Bool) async throws {
      try world.hatchCanary()
      var log: [String] = []
      // What an app would see in its first launch, and in its second.
      for launch in ["first", "second"] {
        world.lie { $0 == .cpuOnly ? .not : .swapped }
        var configuration = EmotionConfiguration(computeUnits: .cpuAndNeuralEngine)
        configuration.usesSwiftVision = usesSwiftVision
        let monitor = try await world.monitor(configuration)
        var events = monitor.events().makeAsyncIterator()
        log += StubCoreML.loads.map { "\(launch) launch: opened on \($0)" }
        let report = try #require(try await monitor.diagnostics().canary)
        log += report.verdicts.map {
          "\(launch) launch: \($0.units) \($0.passed ? "passed" : "failed")"
            + ($0.reason.map { ": \($0)" } ?? "") + ($0.isRemembered ? " (remembered)" : "")
        }
        guard case .fellBack(let reason)? = await events.next() else {
          Issue.record("no event")
          return
        }
        log.append("\(launch) launch: event fellBack: \(reason)")
        let diagnostics = try await monitor.diagnostics()
        #expect(diagnostics.requested == .cpuAndNeuralEngine && diagnostics.active == .cpuOnly)
        #expect(
          diagnostics.fallbackReason == reason && diagnostics.usesSwiftVision == usesSwiftVision)
        #expect(report.passed && report.chosen == .cpuOnly && report.model.count == 64)
      }
      print(log.joined(separator: "\n"))
      let fault = "happy.png is sadness instead of happiness"
      #expect(
        log == [
          "first launch: opened on cpuAndNeuralEngine",
          "first launch: opened on cpuOnly",
          "first launch: cpuAndNeuralEngine failed: \(fault)",
          "first launch: cpuOnly passed",
          "first launch: event fellBack: the canary failed on cpuAndNeuralEngine: \(fault)",
          "second launch: opened on cpuOnly",
          "second launch: cpuAndNeuralEngine failed: \(fault) (remembered)",
          "second launch: cpuOnly passed (remembered)",
          "second launch: event fellBack: the canary failed on cpuAndNeuralEngine: \(fault)",
        ])
    }

    @Test func aUnitThatLiesALittleGoesOnWithoutAWord() async throws {
      try world.hatchCanary()
      world.lie { _ in .aLittle }
      let monitor = try await world.monitor()
      let diagnostics = try await monitor.diagnostics()
      #expect(diagnostics.active == .cpuAndNeuralEngine && diagnostics.fallbackReason == nil)
      let verdict = try #require(diagnostics.canary?.verdicts.first)
      #expect(verdict.passed && abs((verdict.maximumDifference ?? 1) - 0.04) < 1e-6)
      // The canary's faces are the warm-up: no black square beside them.
      #expect(StubVision.predictions.count == 4)
      #expect(
        StubVision.predictions.allSatisfy { $0.region == CGRect(x: 0, y: 0, width: 1, height: 1) })
      world.lie { _ in .aLittle }
      _ = try await world.monitor()
      #expect(StubVision.predictions.count == 1)
    }

    @Test(arguments: [StubWorld.Lie.much, .notANumber, .swapped, .silent])
    func whereEveryUnitLiesLoadingFailsUnlessTheAppAcceptsIt(lie: StubWorld.Lie) async throws {
      try world.hatchCanary()
      world.lie { _ in lie }
      var configuration = EmotionConfiguration(computeUnits: .all)
      do {
        _ = try await world.engine(configuration)
        Issue.record("a lying model was loaded")
      } catch EmotionKitError.canaryFailed(let report) {
        #expect(report.verdicts.map(\.units) == ComputeUnits.all.candidates && !report.passed)
        let again = try JSONDecoder().decode(CanaryReport.self, from: report.json())
        #expect(again == report)
      } catch EmotionKitError.inferenceFailed where lie == .silent {
        return  // nothing was answered, so there is nothing to accept
      }
      configuration.canary = .reported
      let monitor = try await world.monitor(configuration)
      var events = monitor.events().makeAsyncIterator()
      guard case .fellBack(let reason)? = await events.next() else {
        Issue.record("no event")
        return
      }
      #expect(reason.contains("on every unit"))
      #expect(try await monitor.diagnostics().canary?.passed == false)
      configuration.canary = .off
      world.lie { _ in lie }
      if lie != .notANumber { _ = try await world.engine(configuration) }
      #expect(StubVision.predictions.count == (lie == .notANumber ? 0 : 1))
    }

    @Test func theLeastWrongUnitIsKeptWhereTheAppAcceptsIt() async throws {
      try world.hatchCanary()
      world.lie {
        switch $0 {
        case .cpuAndGPU: .notQuite
        case .cpuOnly: .notANumber
        default: .much
        }
      }
      let configuration = EmotionConfiguration(computeUnits: .all, canary: .reported)
      let diagnostics = try await world.monitor(configuration).diagnostics()
      #expect(diagnostics.active == .cpuAndGPU && diagnostics.canary?.chosen == .cpuAndGPU)
    }

    @Test func aUnitThatRefusesTheModelIsNoVerdictForEver() async throws {
      try world.hatchCanary()
      world.lie { _ in .not }
      world.coreML { $0.failingLoads = [.cpuAndNeuralEngine] }
      let refused = try await world.monitor().diagnostics()
      #expect(refused.active == .cpuOnly && refused.requested == .cpuAndNeuralEngine)
      #expect(refused.fallbackReason?.contains("cannot load") == true)
      world.coreML { $0.failingLoads = [] }
      world.vision { $0.failingPredictions = [.cpuAndNeuralEngine] }
      let broken = try await world.monitor().diagnostics()
      #expect(broken.active == .cpuOnly && broken.fallbackReason?.contains("predict") == true)
      world.vision { $0.failingPredictions = [] }
      #expect(try await world.monitor().diagnostics().active == .cpuAndNeuralEngine)
    }

    @Test func aCanaryThatIsNotTheManifestsIsAnError() async throws {
      try world.hatchCanary()
      world.lie { _ in .not }
      let file = world.folder.appendingPathComponent("canary.json")
      try Data("{}".utf8).write(to: file)
      await #expect(throws: EmotionKitError.self) { _ = try await world.engine() }
      try FileManager.default.removeItem(at: file)
      #expect(try await world.monitor().diagnostics().canary == nil)
    }

    /// Everything but the network: what a check adds to a launch.
    @Test func theCostAroundTheNetworkIsPrinted() async throws {
      try world.hatchCanary()
      world.lie { _ in .not }
      let report = try #require(try await world.monitor().diagnostics().canary)
      let size = try Data(contentsOf: world.folder.appendingPathComponent("canary.json")).count
      let verdict = try #require(report.verdicts.first)
      print(
        "EmotionKit: canary of \(size) bytes, 4 faces of 48 pixels: "
          + "\(verdict.milliseconds) ms under fakes")
      #expect(verdict.milliseconds > 0 && size > 0)
    }
  }

  extension StubWorld {
    /// How a compute unit answers.
    enum Lie: Sendable { case not, aLittle, notQuite, much, notANumber, swapped, silent }

    private static let names = ["happy.png", "sad.png", "angry.png", "afraid.png"]
    private static let tops: [Emotion] = [.happiness, .sadness, .anger, .fear]

    private static func pixels(_ face: Int) -> [UInt8] {
      (0..<3 * 48 * 48).map { UInt8(truncatingIfNeeded: ($0 &* 31) &+ ($0 / 7) &+ 40 * face) }
    }

    private static func truth(_ face: Int) -> [String: Double] {
      Dictionary(
        uniqueKeysWithValues: Emotion.known.map { ($0.rawValue, $0 == tops[face] ? 0.86 : 0.02) })
    }

    /// Puts a canary and a manifest that names it beside the model.
    func hatchCanary() throws {
      let contract = try ModelContract.parse(Self.contract)
      let faces = Self.names.indices.map { face in
        """
        {"name": "\(Self.names[face])",
         "probabilities": \(contract.labels.map { Self.truth(face)[$0.rawValue] ?? 0 }),
         "pixels": "\(Data(Self.pixels(face)).base64EncodedString())"}
        """
      }
      let canary = """
        {"schema": "emotionkit.canary", "version": 1,
         "checkpoint_sha256": "\(contract.checkpointSHA256)",
         "labels": \(contract.labels.map(\.rawValue)), "input_size": 48, "side": 48, "repeat": 1,
         "limits": {"max_abs_dp": 0.2, "usual_abs_dp": 0.05, "beyond_usual": 1, "near_tie": 0.05},
         "faces": [\(faces.joined(separator: ","))]}
        """
      try Data(canary.utf8).write(to: folder.appendingPathComponent("canary.json"))
      let hash = try ModelManifest.contentHash(of: model)
      let manifest = """
        {"schema": "emotionkit.manifest", "version": 1,
         "model": {"name": "EmotionNet", "file": "EmotionNet.mlmodel", "format": "neuralnetwork",
                   "precision": "fp32", "bytes": 5, "sha256": "\(hash)",
                   "files": [{"path": "EmotionNet.mlmodel", "bytes": 5, "sha256": "\(hash)"}]},
         "contract": \(Self.contract),
         "parity": {"verdict": "PASS", "gated": true, "runtime": "portable", "images": 1,
                    "max_abs_dp": 0, "top1_agreement": 1, "apple_runtime": "NOT RUN"},
         "canary": {"file": "canary.json", "bytes": \(canary.utf8.count),
                    "sha256": "\(SHA256.hex(canary))"},
         "created_with": {}, "created_at": "2026-01-01T00:00:00Z"}
        """
      try Data(manifest.utf8).write(to: folder.appendingPathComponent("manifest.json"))
    }

    /// Makes the pretended network know the canary's faces, pixel for pixel, and lie as told.
    func lie(_ how: @escaping @Sendable (MLComputeUnits) -> Lie) {
      coreML { _ in }
      vision { script in
        script.network = { rgb, units in
          guard let face = Self.names.indices.first(where: { Self.pixels($0) == rgb }) else {
            return Emotion.known.map { ($0.rawValue, 0.125) }
          }
          var answer = Self.truth(face)
          let top = Self.tops[face].rawValue
          let moved: Double? =
            switch how(units) {
            case .aLittle: 0.04
            case .notQuite: 0.06
            case .much: 0.25
            default: nil
            }
          if let moved {
            answer[top, default: 0] -= moved
            answer["contempt", default: 0] += moved
          }
          switch how(units) {
          case .notANumber: answer[top] = .nan
          case .silent: return []
          case .swapped:
            let happiness = answer["happiness"]
            answer["happiness"] = answer["sadness"]
            answer["sadness"] = happiness
          default: break
          }
          return answer.map { ($0.key, Float($0.value)) }
        }
      }
    }
  }
#endif
