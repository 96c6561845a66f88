#if EMOTIONKIT_APPLE_STUBS
  import AVFoundation
  import Foundation
  import Testing
  import Vision

  @_spi(Diagnostics) @testable import EmotionKit

  extension StubbedAppleLayerTests {
    // MARK: Live

    @Test func cameraFramesBecomeEvents() async throws {
      world.vision { $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)] }
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      try await monitor.start(camera: .front)
      #expect(StubCamera.isRunning && StubCamera.isMirrored)
      // The first buffer was under way when the connection was turned by 90 degrees: dropped.
      StubCamera.deliver(width: 1280, height: 720, seconds: 99.9)
      StubCamera.deliver(width: 720, height: 1280, seconds: 100)
      #expect(await events.next() == .faceAppeared(FaceID(rawValue: 1)))
      guard case .changed(_, from: nil, to: .happiness, let reading)? = await events.next() else {
        Issue.record("no change")
        return
      }
      #expect(reading.timestamp == .seconds(100))
      #expect(reading.imageSize == PixelSize(width: 720, height: 1280))
      #expect(await monitor.statistics.submitted == 1)
      #expect(StubVision.detections == [.up])
      _ = await events.next()
      try await monitor.stop()
      #expect(!StubCamera.isRunning)
      #expect(await events.next() == .faceLost(FaceID(rawValue: 1)))
      try await monitor.start(camera: .back)
      #expect(StubCamera.isRunning && !StubCamera.isMirrored)
    }

    @Test func startingTwiceIsHarmless() async throws {
      let monitor = try await world.monitor()
      try await monitor.start()
      try await monitor.start()
      try await monitor.stop()
      try await monitor.stop()
      #expect(!StubCamera.isRunning)
    }

    @Test(arguments: [AVAuthorizationStatus.denied, .restricted, .notDetermined])
    func withoutPermissionThereIsNoCamera(status: AVAuthorizationStatus) async throws {
      var script = StubCamera.Script()
      script.status = status
      script.grants = false
      StubCamera.reset(script)
      let monitor = try await world.monitor()
      await #expect(throws: EmotionKitError.cameraUnauthorized) { try await monitor.start() }
      script.status = .notDetermined
      script.grants = true
      StubCamera.reset(script)
      try await monitor.start()
      #expect(StubCamera.isRunning)
    }

    @Test func aDeviceWithoutACameraSaysSo() async throws {
      var script = StubCamera.Script()
      script.hasCamera = false
      StubCamera.reset(script)
      let monitor = try await world.monitor()
      await #expect(throws: EmotionKitError.cameraUnavailable(reason: "there is no front camera")) {
        try await monitor.start()
      }
    }

    @Test(arguments: [
      (
        AVCaptureSession.InterruptionReason.videoDeviceNotAvailableInBackground,
        InterruptionReason.background
      ),
      (.videoDeviceInUseByAnotherClient, .inUseByAnotherClient),
      (.videoDeviceNotAvailableDueToSystemPressure, .systemPressure),
      (.videoDeviceNotAvailableWithMultipleForegroundApps, .multipleForegroundApps),
      (.audioDeviceInUseByAnotherClient, .other),
    ])
    func interruptionsAreReported(
      reason: AVCaptureSession.InterruptionReason, expected: InterruptionReason
    ) async throws {
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      try await monitor.start()
      StubCamera.post(AVCaptureSession.wasInterruptedNotification, reason: reason)
      #expect(await events.next() == .interrupted(expected))
      StubCamera.post(AVCaptureSession.interruptionEndedNotification, reason: nil)
      #expect(await events.next() == .resumed)
    }

    @Test func theCameraCanBeChangedWhileItRuns() async throws {
      world.vision { $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)] }
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      try await monitor.start(camera: .front)
      StubCamera.deliver(width: 1280, height: 720, seconds: 99.9)
      StubCamera.deliver(width: 720, height: 1280, seconds: 100)
      #expect(await events.next() == .faceAppeared(FaceID(rawValue: 1)))
      try await monitor.start(camera: .back)
      #expect(StubCamera.isRunning && !StubCamera.isMirrored)
      #expect(await monitor.preview?.position == .back)
      var heard: EmotionEvent?
      repeat { heard = await events.next() } while heard != .faceLost(FaceID(rawValue: 1))
    }

    @Test func aPixelFormatIsAskedForOnlyWhereThereIsOne() async throws {
      let monitor = try await world.monitor()
      try await monitor.start()
      #expect(StubCamera.format == kCVPixelFormatType_420YpCbCr8BiPlanarFullRange)
      try await monitor.stop()
      var script = StubCamera.Script()
      script.formats = [kCVPixelFormatType_32BGRA]
      StubCamera.reset(script)
      try await monitor.start()
      #expect(StubCamera.isRunning && StubCamera.format == nil)
    }

    @Test func aDeadMediaServerIsRestarted() async throws {
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      try await monitor.start()
      StubCamera.crash(.mediaServicesWereReset)
      #expect(await events.next() == .interrupted(.other))
      #expect(await events.next() == .resumed)
      #expect(StubCamera.isRunning)
      // Anything else is not tried again: it would fail again, for ever.
      StubCamera.crash(.unknown)
      #expect(
        await events.next() == .failed(.cameraUnavailable(reason: "camera error -11800")))
      #expect(!StubCamera.isRunning)
      // It is over, so the same camera can be started again.
      try await monitor.start()
      #expect(StubCamera.isRunning && StubCamera.violations.isEmpty)
    }

    @Test func stoppingAnInterruptedCameraIsNoResumption() async throws {
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      try await monitor.start()
      StubCamera.post(
        AVCaptureSession.wasInterruptedNotification, reason: .videoDeviceInUseByAnotherClient)
      #expect(await events.next() == .interrupted(.inUseByAnotherClient))
      try await monitor.stop()
      // No frames arrive now: nothing resumed. But whoever comes later hears of no interruption.
      monitor.submit(world.frame(), at: .seconds(1))
      #expect(await events.next() == .frame([]))
      var later = monitor.events().makeAsyncIterator()
      monitor.submit(world.frame(), at: .seconds(2))
      #expect(await later.next() == .frame([]))
    }

    @Test func aSessionIsSetUpAsItsRulesDemand() async throws {
      let monitor = try await world.monitor()
      try await monitor.start()
      #expect(StubCamera.violations.isEmpty)
      // Twice the analysis rate.
      #expect(StubCamera.askedRate == 24)
    }

    @Test func aRateTheCameraHasNotIsNotAskedFor() async throws {
      StubCamera.change { $0.rates = 60...120 }
      let monitor = try await world.monitor()
      try await monitor.start()
      #expect(StubCamera.askedRate == nil && StubCamera.violations.isEmpty)
      try await monitor.stop()
      StubCamera.change { $0.rates = 1...30 }
      let free = try await world.monitor(EmotionConfiguration(captureRate: nil))
      try await free.start()
      #expect(StubCamera.askedRate == nil)
    }

    @Test func aSessionThatRefusesIsAnErrorAndCanBeTriedAgain() async throws {
      let monitor = try await world.monitor()
      for refusal: (inout StubCamera.Script) -> Void in [
        { $0.acceptsInput = false }, { $0.acceptsOutput = false }, { $0.starts = false },
      ] {
        var script = StubCamera.Script()
        refusal(&script)
        StubCamera.reset(script)
        await #expect(throws: EmotionKitError.self) { try await monitor.start() }
        #expect(!StubCamera.isRunning && StubCamera.violations.isEmpty)
      }
      StubCamera.reset(StubCamera.Script())
      try await monitor.start()
      #expect(StubCamera.isRunning)
    }

    @Test func aCameraWithoutHDRunsAtItsOwnSize() async throws {
      StubCamera.change { $0.allowsHD = false }
      let monitor = try await world.monitor()
      try await monitor.start()
      #expect(StubCamera.isRunning && StubCamera.violations.isEmpty)
    }

    @Test func aCameraThatIsInterruptedAsItStartsIsNoFailure() async throws {
      StubCamera.change {
        $0.starts = false
        $0.isInterrupted = true
      }
      let monitor = try await world.monitor()
      try await monitor.start()
      #expect(await monitor.preview != nil)
    }

    @Test func aNewCameraWaitsUntilTheOldOneIsFree() async throws {
      StubCamera.change {
        $0.startSeconds = 0.02
        $0.stopSeconds = 0.05
      }
      let monitor = try await world.monitor()
      try await monitor.start(camera: .front)
      for _ in 0..<3 {
        // What a view does whose camera changes: it starts the new while the old one stops.
        async let stopped: Void = monitor.stop()
        try await monitor.start(camera: .back)
        try await stopped
        try await monitor.start(camera: .back)
        #expect(StubCamera.isRunning && StubCamera.violations.isEmpty)
        #expect(await monitor.preview?.position == .back)
        try await monitor.start(camera: .front)
        #expect(await monitor.preview?.position == .front)
      }
      #expect(StubCamera.violations.isEmpty)
    }

    @Test @MainActor func anAppLaunchedInTheBackgroundAnalysesNothing() async throws {
      StubDevice.launch(inBackground: true)
      defer { StubDevice.launch(inBackground: false) }
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      #expect(await events.next() == .interrupted(.background))
      StubDevice.enterForeground()
      #expect(await events.next() == .resumed)
    }

    @Test func aHotCameraThrottlesAndTheHotterOfTwoCounts() async throws {
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      try await monitor.start(camera: .back)
      StubCamera.change { $0.pressure = .serious }
      StubCamera.deliver(width: 1280, height: 720, seconds: 1)
      #expect(await events.next() == .throttled(.serious))
      StubThermal.change(to: .fair)
      StubCamera.change { $0.pressure = .shutdown }
      StubCamera.deliver(width: 1280, height: 720, seconds: 2)
      var heard = await events.next()
      while case .frame? = heard { heard = await events.next() }
      #expect(heard == .throttled(.critical))
      StubCamera.change { $0.pressure = .nominal }
      StubCamera.deliver(width: 1280, height: 720, seconds: 3)
      #expect(await events.next() == .throttled(.fair))
    }

    /// A connection that can neither turn nor mirror: Vision has to do both.
    @Test(arguments: [
      (CGFloat(90), CameraPosition.front, CGImagePropertyOrientation.leftMirrored),
      (90, .back, .right), (180, .front, .downMirrored), (270, .back, .left), (0, .back, .up),
    ])
    func whatTheCameraCannotTurnVisionTurns(
      angle: CGFloat, position: CameraPosition, expected: CGImagePropertyOrientation
    ) async throws {
      var script = StubCamera.Script()
      script.angle = angle
      script.supportedAngles = [0]
      script.canMirror = false
      StubCamera.reset(script)
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      try await monitor.start(camera: position)
      StubCamera.deliver(width: 1280, height: 720, seconds: 1)
      #expect(await events.next() == .frame([]))
      #expect(StubVision.detections == [expected])
    }

    @Test func thePreviewKnowsHowItIsTurnedAgainstTheAnalysis() async throws {
      let monitor = try await world.monitor()
      try await monitor.start(camera: .back)
      let rotation = try #require(await monitor.preview?.rotation)
      // Held sideways, analysed upright (180), in a window that stays in portrait (90). The first
      // buffer was under way when the connection turned.
      StubCamera.change { $0.angle = 180 }
      StubCamera.deliver(width: 1280, height: 720, seconds: 1)
      StubCamera.deliver(width: 1280, height: 720, seconds: 2)
      #expect(rotation.fromAnalysedToShown(mirrored: false) == 0)
      rotation.setShown(quarterTurns: 1)
      #expect(rotation.fromAnalysedToShown(mirrored: false) == -1)
      #expect(rotation.fromAnalysedToShown(mirrored: true) == 1)
    }

    @Test @MainActor func theDeviceTellsHowItIsHeld() async throws {
      let (changes, continuation) = AsyncStream.makeStream(of: DeviceOrientation.self)
      StubDevice.turn(to: .landscapeRight)
      let monitor = DeviceOrientationMonitor { continuation.yield($0) }
      #expect(StubDevice.listeners == 1)
      var heard = changes.makeAsyncIterator()
      #expect(await heard.next() == .landscapeRight)
      // Lying flat tells nothing.
      StubDevice.turn(to: .faceUp)
      await Task.yield()
      StubDevice.turn(to: .portraitUpsideDown)
      #expect(await heard.next() == .portraitUpsideDown)
      monitor.stop()
      monitor.stop()
      #expect(StubDevice.listeners == 0)
      StubDevice.turn(to: .portrait)
    }

    @Test @MainActor func framesInTheBackgroundAreDropped() async throws {
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      StubDevice.enterBackground()
      #expect(await events.next() == .interrupted(.background))
      monitor.submit(world.frame(), at: .seconds(1))
      while !Task.isCancelled, await monitor.statistics.skipped == 0 { await Task.yield() }
      #expect(StubVision.detections.isEmpty)
      StubDevice.enterForeground()
      #expect(await events.next() == .resumed)
      monitor.submit(world.frame(), at: .seconds(2))
      #expect(await events.next() == .frame([]))
    }

    @Test func latenciesAreMeasured() async throws {
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      monitor.submit(world.frame(), at: .seconds(1))
      #expect(await events.next() == .frame([]))
      while !Task.isCancelled, await monitor.statistics.analyzed == 0 { await Task.yield() }
      let latency = await monitor.statistics.latency
      #expect(Set(latency.keys) == Set(PipelineStage.allCases))
      let total = try #require(latency[.total])
      #expect(total.samples == 1 && total.p50 == total.maximum && total.p50 > .zero)
    }

    @Test func aCameraSourceLoadsOnceAndAgainAfterAFailure() async throws {
      var script = StubCamera.Script()
      script.hasCamera = false
      StubCamera.reset(script)
      let source = CameraEmotionSource(model: .url(world.model))
      await #expect(throws: EmotionKitError.self) { try await source.start() }
      #expect(await source.preview == nil)
      script.hasCamera = true
      StubCamera.reset(script)
      _ = try await source.start()
      #expect(await source.preview != nil)
      #expect(await source.isDemo)
      await source.stop()
      #expect(!StubCamera.isRunning)
      _ = try await source.start()
      #expect(StubCoreML.loads.count == 1)
      await source.stop()

      let missing = CameraEmotionSource(model: .url(URL(fileURLWithPath: "/no/such.mlpackage")))
      for _ in 0..<2 {
        await #expect(throws: EmotionKitError.self) { try await missing.start() }
      }
      await missing.stop()
    }

    @Test func heatIsReported() async throws {
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      StubThermal.change(to: .serious)
      #expect(await events.next() == .throttled(.serious))
      StubThermal.change(to: .nominal)
      #expect(await events.next() == .throttled(.nominal))
    }

    @Test func framesOfTheAppsOwnAreWelcome() async throws {
      world.vision { $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)] }
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      monitor.submit(world.frame(), at: .seconds(7))
      #expect(await events.next() == .faceAppeared(FaceID(rawValue: 1)))
      let once = try await monitor.analyze(world.frame())
      #expect(once.map(\.dominant) == [.happiness])
    }

    @Test func aFailingDetectorIsAnEventNotACrash() async throws {
      let monitor = try await world.monitor()
      world.vision { $0.failsToDetect = true }
      var events = monitor.events().makeAsyncIterator()
      monitor.submit(world.frame())
      #expect(await events.next() == .failed(.inferenceFailed(reason: "cannot detect")))
    }

    @Test func releasingTheMonitorEndsItsStreams() async throws {
      var monitor: EmotionMonitor? = try await world.monitor()
      var events = monitor?.events().makeAsyncIterator()
      monitor = nil
      #expect(await events?.next() == nil)
    }
  }
#endif
