#if EMOTIONKIT_APPLE_STUBS
  import CoreML
  import Foundation
  import Testing
  import Vision

  @_spi(Diagnostics) @testable import EmotionKit

  /// Runs the Apple layer on Linux against scripted frameworks.
  ///
  /// The scripts are global, as the frameworks are: one suite, one test at a time.
  @Suite(.serialized, .timeLimit(.minutes(1))) struct StubbedAppleLayerTests {
    let world: StubWorld

    init() throws {
      world = try StubWorld()
    }

    // MARK: Loading

    @Test func loadingCompilesOnceAndReadsTheContract() async throws {
      let engine = try await world.engine()
      #expect(engine.classifier.contract.preprocess.inputSize == 48)
      #expect(StubCoreML.compilations == [world.model])
      #expect(StubCoreML.loads == [.cpuAndNeuralEngine])
      let first = StubCoreML.loadURLs
      _ = try await world.engine()
      #expect(StubCoreML.compilations.count == 1)
      #expect(StubCoreML.loadURLs == first + first)
    }

    @Test func aModelThatFailsOnTheNeuralEngineLoadsOnTheProcessor() async throws {
      world.coreML { $0.failingLoads = [.cpuAndNeuralEngine] }
      let diagnostics = try await world.engine().classifier.diagnostics()
      #expect(diagnostics.requested == .cpuAndNeuralEngine && diagnostics.active == .cpuOnly)
      #expect(diagnostics.fallbackReason?.contains("cannot load") == true)
      #expect(StubCoreML.loads == [.cpuAndNeuralEngine, .cpuOnly])
    }

    @Test func theFallbackIsAnEventForEverybodyWhoListens() async throws {
      world.coreML { $0.failingLoads = [.cpuAndNeuralEngine] }
      let monitor = try await world.monitor()
      // It happened while the model loaded, before anybody could listen.
      var events = monitor.events().makeAsyncIterator()
      guard case .fellBack(let reason)? = await events.next() else {
        Issue.record("no fallback")
        return
      }
      #expect(reason.contains("cannot load"))
    }

    @Test func theFallbackOfAPredictionIsReportedOnce() async throws {
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      world.vision {
        $0.failingPredictions = [.cpuAndNeuralEngine]
        $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)]
      }
      monitor.submit(world.frame(), at: .zero)
      var heard = [await events.next()]
      while !heard.contains(where: { if case .frame? = $0 { true } else { false } }) {
        heard.append(await events.next())
      }
      monitor.submit(world.frame(), at: .seconds(1))
      heard.append(await events.next())
      let fallbacks = heard.filter { if case .fellBack? = $0 { true } else { false } }
      #expect(fallbacks.count == 1)
      #expect(try await monitor.diagnostics().active == .cpuOnly)
    }

    @Test(arguments: [true, false])
    func theComputePlanSaysWhatRunsWhere(isNeuralNetwork: Bool) async throws {
      world.coreML { $0.isNeuralNetwork = isNeuralNetwork }
      let monitor = try await world.monitor()
      let plan = try await monitor.computePlan()
      #expect(plan?.operations == [.neuralEngine: 2, .cpu: 1] && plan?.unplaced == 1)
      world.vision { $0.failingPredictions = [.cpuAndNeuralEngine] }
      _ = try await monitor.analyze(world.frame())
      world.vision { $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)] }
      _ = try await monitor.analyze(world.frame())
      // The plan is of the units in use.
      #expect(try await monitor.computePlan()?.operations == [.cpu: 3])
      #expect(ComputeDevice.available == [.cpu, .neuralEngine])
    }

    @Test func aModelThatFailsEverywhereIsReportedOnce() async throws {
      world.coreML { $0.failingLoads = [.cpuAndNeuralEngine, .cpuOnly] }
      await #expect(throws: EmotionKitError.self) { try await world.engine() }
      #expect(StubCoreML.loads == [.cpuAndNeuralEngine, .cpuOnly])
    }

    @Test func aPredictionThatFailsMovesToTheProcessorOnce() async throws {
      world.vision { $0.failingPredictions = [.cpuAndNeuralEngine] }
      let engine = try await world.engine()
      _ = try await engine.classifier.classify(.full, in: world.frame())
      #expect(
        StubVision.predictions.map(\.units) == [.cpuAndNeuralEngine, .cpuOnly, .cpuOnly])
      let diagnostics = try await engine.classifier.diagnostics()
      #expect(diagnostics.active == .cpuOnly)
      #expect(diagnostics.fallbackReason?.contains("cannot predict") == true)
    }

    @Test(arguments: [false, true])
    func aFrameThatFailsEverywhereMovesNothing(usesSwiftVision: Bool) async throws {
      let engine = try await world.engine(EmotionConfiguration(usesSwiftVision: usesSwiftVision))
      world.vision { $0.failingPredictions = [.cpuAndNeuralEngine, .cpuOnly] }
      for _ in 0..<2 {
        await #expect(throws: StubCoreML.Failure.self) {
          try await engine.classifier.classify(.full, in: world.frame())
        }
      }
      var diagnostics = try await engine.classifier.diagnostics()
      #expect(diagnostics.active == .cpuAndNeuralEngine && diagnostics.fallbackReason == nil)
      // The processor's network was opened once and kept.
      #expect(StubCoreML.loads == [.cpuAndNeuralEngine, .cpuOnly])
      world.vision { $0.failingPredictions = [] }
      _ = try await engine.classifier.classify(.full, in: world.frame())
      #expect(StubVision.predictions.map(\.units) == [.cpuAndNeuralEngine])
      // One that the processor answers does move it.
      world.vision { $0.failingPredictions = [.cpuAndNeuralEngine] }
      _ = try await engine.classifier.classify(.full, in: world.frame())
      diagnostics = try await engine.classifier.diagnostics()
      #expect(diagnostics.active == .cpuOnly)
      #expect(StubCoreML.loads == [.cpuAndNeuralEngine, .cpuOnly])
    }

    @Test(arguments: [false, true])
    func aPredictionThatVisionGivesUpIsACancellation(usesSwiftVision: Bool) async throws {
      let engine = try await world.engine(EmotionConfiguration(usesSwiftVision: usesSwiftVision))
      world.vision { $0.cancelsPredictions = true }
      await #expect(throws: CancellationError.self) {
        try await engine.classifier.classify(.full, in: world.frame())
      }
      #expect(StubVision.predictions.map(\.units) == [.cpuAndNeuralEngine])
      let diagnostics = try await engine.classifier.diagnostics()
      #expect(diagnostics.active == .cpuAndNeuralEngine)
    }

    @Test func theWarmUpPictureIsBlack() throws {
      let frame = try EmotionFrame(blackSquare: 48)
      guard case .buffer(let buffer) = frame.pixels else {
        Issue.record("no buffer")
        return
      }
      #expect(buffer.stubRGB == [UInt8](repeating: 0, count: 3 * 48 * 48))
    }

    @Test func aCompilerFailureHasItsOwnError() async throws {
      world.coreML { $0.failsToCompile = true }
      do {
        _ = try await world.engine()
        Issue.record("loaded a model that does not compile")
      } catch EmotionKitError.modelCompileFailed(let url, let reason) {
        #expect(url == world.model && reason.contains("cannot compile"))
      }
    }

    @Test func aModelWithoutAContractIsRefused() async throws {
      world.coreML { $0.userDefined = ["com.example": "x"] }
      try await expectMismatch("metadata")
    }

    @Test func aModelWithOtherLabelsThanItsContractIsRefused() async throws {
      world.coreML { $0.classLabels.swapAt(0, 1) }
      try await expectMismatch("class labels")
    }

    @Test func aModelOfAnotherInputIsRefused() async throws {
      world.coreML { $0.inputSide = 64 }
      try await expectMismatch("input size")
      world.coreML {
        $0.inputSide = 48
        $0.inputName = "photo"
      }
      try await expectMismatch("input")
    }

    @Test func aDownloadWithAnotherHashIsRefused() async throws {
      let source = EmotionModelSource.url(world.model, sha256: String(repeating: "0", count: 64))
      do {
        _ = try await world.loader.prepare(source)
        Issue.record("accepted another file")
      } catch EmotionKitError.modelFileChanged(let path, _, _) {
        #expect(path == "EmotionNet.mlmodel")
      }
      let hash = try ModelManifest.contentHash(of: world.model)
      _ = try await world.loader.prepare(.url(world.model, sha256: hash))
    }

    // MARK: Pictures

    @Test(arguments: [false, true])
    func theNetworkSeesTheTrainedSquareStretchedToItsInput(usesSwiftVision: Bool) async throws {
      // 128 x 96 pixels of 640 x 480, whose square with a margin of 0.3 is 166.4 pixels wide.
      world.vision { $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)] }
      let analyzer = try await world.analyzer(
        EmotionConfiguration(usesSwiftVision: usesSwiftVision))
      let readings = try await analyzer.analyze(world.frame())
      #expect(readings.map(\.dominant) == [.happiness])
      let prediction = try #require(StubVision.predictions.last)
      #expect(prediction.isSwift == usesSwiftVision)
      #expect(prediction.cropAndScale == .scaleFill)
      #expect(abs(prediction.region.width * 640 - 166.4) < 1e-6)
      #expect(abs(prediction.region.height * 480 - 166.4) < 1e-6)
      #expect(abs(prediction.region.midX - 0.5) < 1e-9 && abs(prediction.region.midY - 0.5) < 1e-9)
    }

    @Test(arguments: [false, true])
    func captureQualityIsMeasuredOnTheFacesThatWereFound(usesSwiftVision: Bool) async throws {
      world.vision {
        $0.faces = [
          CGRect(x: 0.1, y: 0.4, width: 0.3, height: 0.3),
          CGRect(x: 0.6, y: 0.4, width: 0.2, height: 0.2),
        ]
        $0.qualities = [0.75, 0.25]
      }
      let analyzer = try await world.analyzer(
        EmotionConfiguration(usesSwiftVision: usesSwiftVision))
      let readings = try await analyzer.analyze(world.frame())
      #expect(readings.map(\.captureQuality) == [0.75, 0.25])
      #expect(StubVision.measurements == 1 && StubVision.detections.count == 1)

      // A face without a quality is better than no face.
      world.vision { $0.qualities = [] }
      let unmeasured = try await analyzer.analyze(world.frame())
      #expect(unmeasured.map(\.captureQuality) == [nil, nil])
      #expect(StubVision.measurements == 1)

      // Nobody there: nothing to measure. Switched off: nothing is asked.
      world.vision { $0.faces = [] }
      #expect(try await analyzer.analyze(world.frame()).isEmpty)
      world.vision { $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)] }
      let plain = try await world.analyzer(
        EmotionConfiguration(measuresCaptureQuality: false, usesSwiftVision: usesSwiftVision))
      #expect(try await plain.analyze(world.frame()).count == 1)
      #expect(StubVision.measurements == 0)
    }

    @Test func bothVisionInterfacesGiveTheSameReadings() async throws {
      world.vision {
        $0.faces = [CGRect(x: 0.1, y: 0.3, width: 0.25, height: 0.35)]
        $0.qualities = [0.5]
      }
      let data = Data("stub-image 640 480 6".utf8)
      var all: [[EmotionReading]] = []
      for usesSwiftVision in [false, true] {
        let analyzer = try await world.analyzer(
          EmotionConfiguration(usesSwiftVision: usesSwiftVision))
        all.append(try await analyzer.analyze(imageData: data))
      }
      #expect(all[0] == all[1] && all[0].count == 1)
      #expect(StubVision.detections == [.right, .right])
    }

    @Test func theSwiftInterfaceFallsBackToo() async throws {
      let configuration = EmotionConfiguration(usesSwiftVision: true)
      world.vision {
        $0.failingPredictions = [.cpuAndNeuralEngine]
        $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)]
      }
      let monitor = try await world.monitor(configuration)
      let diagnostics = try await monitor.diagnostics()
      #expect(diagnostics.active == .cpuOnly && diagnostics.usesSwiftVision)
      #expect(diagnostics.fallbackReason?.contains("cannot predict") == true)
      #expect(try await monitor.computePlan()?.operations == [.cpu: 3])
      #expect(try await monitor.analyze(world.frame()).map(\.dominant) == [.happiness])
      world.vision { $0.failingPredictions = [.cpuAndNeuralEngine, .cpuOnly] }
      await #expect(throws: EmotionKitError.self) { try await monitor.analyze(world.frame()) }
      world.coreML { $0.failingLoads = [.cpuAndNeuralEngine, .cpuOnly] }
      await #expect(throws: EmotionKitError.self) { try await world.engine(configuration) }
    }

    @Test func pixelBuffersGoThroughTheSwiftInterface() async throws {
      world.vision { $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)] }
      let analyzer = try await world.analyzer(EmotionConfiguration(usesSwiftVision: true))
      var buffer: CVPixelBuffer?
      _ = CVPixelBufferCreate(nil, 640, 480, 0, nil, &buffer)
      let frame = EmotionFrame(pixelBuffer: try #require(buffer), orientation: .left)
      let reading = try #require(try await analyzer.analyze(frame).first)
      #expect(reading.imageSize == PixelSize(width: 480, height: 640))
      #expect(StubVision.detections == [.left])
    }

    @Test func orientationTurnsTheSizeAndReachesVision() async throws {
      world.vision { $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)] }
      let analyzer = try await world.analyzer()
      let data = Data("stub-image 640 480 6".utf8)
      let reading = try #require(try await analyzer.analyze(imageData: data).first)
      #expect(reading.imageSize == PixelSize(width: 480, height: 640))
      #expect(StubVision.detections == [.right])
      // 96 x 128 pixels upright: the longer side is the height now.
      let region = try #require(StubVision.predictions.last?.region)
      #expect(abs(region.height * 640 - 166.4) < 1e-6)
    }

    @Test func bytesThatAreNoImageAreRefused() async throws {
      let analyzer = try await world.analyzer()
      await #expect(throws: EmotionKitError.self) {
        try await analyzer.analyze(imageData: Data("nothing".utf8))
      }
      await #expect(throws: EmotionKitError.self) {
        try await analyzer.analyze(contentsOf: URL(fileURLWithPath: "/no/such/file"))
      }
    }

    @Test func anAnswerThatIsNoClassificationIsAnError() async throws {
      let analyzer = try await world.analyzer()
      world.vision {
        $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)]
        $0.classifications = []
      }
      await #expect(throws: EmotionKitError.self) { try await analyzer.analyze(world.frame()) }
    }

    private func expectMismatch(_ field: String) async throws {
      do {
        _ = try await world.engine()
        Issue.record("accepted a model with another \(field)")
      } catch EmotionKitError.contractMismatch(field, _, _) {
      }
    }
  }
#endif
