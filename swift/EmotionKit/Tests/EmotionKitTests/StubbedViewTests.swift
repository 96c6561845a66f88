#if EMOTIONKIT_APPLE_STUBS
  import AVFoundation
  import Foundation
  import SwiftUI
  import Testing
  import Vision

  @testable import EmotionKit
  @testable import EmotionKitUI

  /// Evaluates the views against the stand-in for SwiftUI and reads what a person would read or
  /// hear. Nothing is laid out or drawn.
  extension StubbedAppleLayerTests {
    // MARK: Views

    @MainActor private func notes(_ view: some View) -> [String] { StubRenderer.notes(of: view) }

    @MainActor private func action(_ name: String, in view: some View) throws -> StubAction {
      try #require(StubRenderer.actions(of: view).first { $0.name == name })
    }

    private func reading(_ id: UInt64, _ dominant: Emotion?) throws -> EmotionReading {
      let distribution = try EmotionDistribution(
        weights: Emotion.known.map { $0 == .surprise ? 0.72 : 0.04 })
      return EmotionReading(
        faceID: FaceID(rawValue: id), dominant: dominant, probabilities: distribution,
        raw: distribution, boundingBox: UnitRect(x: 0.2, y: 0.2, width: 0.2, height: 0.2),
        imageSize: PixelSize(width: 720, height: 1280), detectionConfidence: 1, timestamp: .zero)
    }

    @Test @MainActor func theOverlayCaptionsAndSpeaksEveryFace() throws {
      let readings = [try reading(1, .surprise), try reading(2, nil)]
      #expect(
        notes(EmotionOverlay(readings: readings)).sorted() == [
          "says Face 1: surprise, 72 percent", "says Face 2: uncertain", "surprise 72 %",
          "uncertain",
        ])
      #expect(notes(EmotionOverlay(readings: [])).isEmpty)
    }

    @Test @MainActor func theBarsAreReadableAtEveryTextSize() throws {
      let bars = ProbabilityBars(probabilities: try reading(1, nil).probabilities)
      defer { EnvironmentValues.stubCurrent = EnvironmentValues() }
      let all = notes(bars)
      #expect(Emotion.known.allSatisfy { all.contains($0.rawValue) })
      #expect(all.contains("72 %") && all.contains("says Probabilities"))
      #expect(all.contains("value surprise, 72 percent; anger, 4 percent; disgust, 4 percent"))
      EnvironmentValues.stubCurrent.dynamicTypeSize = .accessibility3
      let few = notes(bars).map(Emotion.init(rawValue:)).filter(Emotion.known.contains)
      #expect(few == [.surprise, .anger, .disgust])
    }

    @Test @MainActor func everyStateHasItsMessage() async throws {
      var state = LiveState()
      var tries = 0
      func message() -> LiveMessage { LiveMessage(state: state) { tries += 1 } }
      #expect(notes(message()).isEmpty)
      state.phase = .loading
      #expect(notes(message()) == ["Loading…"])
      state.phase = .running
      #expect(notes(message()).isEmpty)
      state.apply(.throttled(.critical))
      #expect(notes(message()) == ["Paused until the device is cooler"])
      state.apply(.interrupted(.inUseByAnotherClient))
      #expect(notes(message()) == ["Another app is using the camera"])

      state.fail(EmotionKitError.cameraUnauthorized)
      EnvironmentValues.stubOpened = []
      try await action("Open Settings", in: message()).run()
      #expect(EnvironmentValues.stubOpened.map(\.absoluteString) == ["app-settings:"])
      #expect(notes(message()).contains("The camera is not allowed"))

      let error = EmotionKitError.modelNotFound(searched: [])
      state.fail(error)
      let texts = notes(message())
      #expect(texts.contains(error.localizedDescription))
      #expect(texts.contains(try #require(error.recoverySuggestion)))
      try await action("Try again", in: message()).run()
      #expect(tries == 1)
    }

    @Test @MainActor func aScriptedViewShowsFacesBarsAndEvents() async throws {
      let source = ScriptedEmotionSource.twoFaces(sleep: { _ in await Task.yield() })
      var events = 0
      let view = EmotionCameraView(source: source) { _ in events += 1 }
      let task = try action("task", in: view)
      let running = Task { await task.run() }
      while !Task.isCancelled, notes(view).count(where: { $0.hasPrefix("says Face") }) < 2 {
        await Task.yield()
      }
      #expect(notes(view).contains("says Probabilities"))
      running.cancel()
      await running.value
      #expect(events > 0)
      #expect(!notes(view).contains { $0.hasPrefix("says Face") })

      let bare = EmotionCameraView(source: source, showsBars: false)
      let bareTask = try action("task", in: bare)
      let bareRunning = Task { await bareTask.run() }
      while !Task.isCancelled, !notes(bare).contains(where: { $0.hasPrefix("says Face") }) {
        await Task.yield()
      }
      #expect(!notes(bare).contains("says Probabilities"))
      bareRunning.cancel()
      await bareRunning.value
    }

    @Test @MainActor func aCameraViewShowsItsPictureAndFaces() async throws {
      world.vision { $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)] }
      let view = EmotionCameraView(camera: .back, model: .url(world.model))
      let task = try action("task", in: view)
      let running = Task { await task.run() }
      while !Task.isCancelled, !notes(view).contains("PreviewLayerView") { await Task.yield() }
      // The model of these tests is a demo, and says so.
      #expect(notes(view).contains { $0.hasPrefix("Demo model") })
      StubCamera.change { $0.angle = 0 }
      StubCamera.deliver(width: 1280, height: 720, seconds: 1)
      while !Task.isCancelled, !notes(view).contains(where: { $0.hasPrefix("says Face") }) {
        await Task.yield()
      }
      running.cancel()
      await running.value
      #expect(!StubCamera.isRunning)
      #expect(!notes(view).contains("PreviewLayerView"))
    }

    /// What `View.task(id:)` does when the camera or the attempt changes: the old task is cancelled and
    /// the new one starts at once, while the old camera still takes its time to stop.
    @Test @MainActor func aNewRunIsNotUndoneByTheEndOfTheOldOne() async throws {
      let viewModel = EmotionViewModel(camera: .front, model: .url(world.model))
      StubCamera.change {
        $0.startSeconds = 0.01
        $0.stopSeconds = 0.05
      }
      var running = Task { await viewModel.run(camera: .front) }
      while !Task.isCancelled, viewModel.state.phase != .running { await Task.yield() }
      for position in [CameraPosition.back, .back, .front] {
        let old = running
        old.cancel()
        running = Task { await viewModel.run(camera: position) }
        await old.value
        while !Task.isCancelled, viewModel.preview == nil || viewModel.state.phase != .running {
          await Task.yield()
        }
        #expect(viewModel.preview?.position == position)
        #expect(StubCamera.isRunning && StubCamera.violations.isEmpty)
      }
      running.cancel()
      await running.value
      #expect(viewModel.state.phase == .idle && viewModel.preview == nil)
      #expect(!StubCamera.isRunning)
    }

    @Test @MainActor func thePreviewLayerTellsHowItIsTurned() async throws {
      let monitor = try await world.monitor()
      try await monitor.start(camera: .front)
      let preview = try #require(await monitor.preview)
      StubCamera.change { $0.angle = 0 }
      StubCamera.deliver(width: 1280, height: 720, seconds: 1)
      #expect(notes(CameraPreviewView(preview: preview)) == ["PreviewLayerView"])
      // The window's 90 degrees against the device's 0; in a mirror the other way round.
      #expect(preview.rotation.fromAnalysedToShown(mirrored: false) == 1)
      #expect(preview.rotation.fromAnalysedToShown(mirrored: true) == -1)
      try await monitor.stop()
    }

    /// The layer has a connection from the first input on, which may come after the view was made.
    @Test @MainActor func aPreviewMadeBeforeTheInputIsTurnedAndMirroredByTheNextLayout() throws {
      let camera = try #require(AVCaptureDevice.default(for: .video))
      let preview = CameraPreview(
        session: AVCaptureSession(), device: camera, position: .front, rotation: CameraRotation())
      let view = PreviewLayerView()
      view.show(preview)
      let layer = try #require(view.layer as? AVCaptureVideoPreviewLayer)
      #expect(layer.connection == nil)
      preview.session.addInput(try AVCaptureDeviceInput(device: camera))
      view.layoutSubviews()
      #expect(layer.connection?.isVideoMirrored == true)
      #expect(preview.rotation.fromAnalysedToShown(mirrored: false) == 1)
    }

    @Test @MainActor func anErrorCanBeTriedAgain() async throws {
      var script = StubCamera.Script()
      script.status = .denied
      StubCamera.reset(script)
      let viewModel = EmotionViewModel(camera: .front, model: .url(world.model))
      await viewModel.run()
      #expect(viewModel.state.phase == .unauthorized)
      StubCamera.reset(StubCamera.Script())
      let running = Task { await viewModel.run(camera: .back) }
      while !Task.isCancelled, viewModel.state.phase != .running { await Task.yield() }
      #expect(viewModel.preview?.position == .back && viewModel.isDemo)
      running.cancel()
      await running.value
      #expect(viewModel.state.phase == .idle && viewModel.preview == nil)
    }

    @Test @MainActor func theNoticeAsksBeforeAnythingRuns() async throws {
      var answers: [String] = []
      let notice = EmotionNoticeView(
        purpose: "Play.", details: ["Nothing is kept."], onContinue: { answers.append("yes") },
        onDecline: { answers.append("no") })
      let shown = notes(notice)
      let texts = EmotionNoticeView.texts(purpose: "Play.", details: ["Nothing is kept."])
      #expect(texts.count == 7 && texts.allSatisfy(shown.contains))
      try await action("Not now", in: notice).run()
      try await action("Continue", in: notice).run()
      #expect(answers == ["no", "yes"])
      let forced = EmotionNoticeView(onContinue: {})
      #expect(StubRenderer.actions(of: forced).map(\.name) == ["Continue"])
      #expect(!StubCamera.isRunning)
    }

    @Test @MainActor func thePreviewsNeedNoCamera() {
      _ = notes(EmotionCameraViewPreviews.previews)
      _ = notes(EmotionNoticeViewPreviews.previews)
      #expect(!StubCamera.isRunning && StubCoreML.loads.isEmpty)
    }
  }
#endif
