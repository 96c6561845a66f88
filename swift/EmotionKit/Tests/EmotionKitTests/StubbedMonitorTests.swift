#if EMOTIONKIT_APPLE_STUBS
  import AVFoundation
  import Foundation
  import Testing
  import Vision

  @testable import EmotionKit

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
      (.videoDeviceNotAvailableWithMultipleForegroundApps, .other),
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

    @Test func heatIsReported() async throws {
      let monitor = try await world.monitor()
      var events = monitor.events().makeAsyncIterator()
      stubThermalState = .serious
      NotificationCenter.default.post(
        name: ProcessInfo.thermalStateDidChangeNotification, object: nil)
      #expect(await events.next() == .throttled(.serious))
      stubThermalState = .nominal
      NotificationCenter.default.post(
        name: ProcessInfo.thermalStateDidChangeNotification, object: nil)
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
