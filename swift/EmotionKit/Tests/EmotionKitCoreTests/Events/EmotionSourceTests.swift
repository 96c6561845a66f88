import EmotionKitCore
import Testing

@Suite(.timeLimit(.minutes(1))) struct EmotionSourceTests {
  private actor Sleeps {
    private(set) var all: [Duration] = []
    func add(_ duration: Duration) { all.append(duration) }
  }

  private func scene(_ time: Duration, _ emotion: Emotion?) -> ScriptedEmotionSource.Scene {
    ScriptedEmotionSource.Scene(
      time: time,
      faces: emotion.map {
        [
          ScriptedEmotionSource.Face(
            box: UnitRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2), probabilities: .mostly($0))
        ]
      } ?? [])
  }

  @Test func aScriptIsPlayedLikeACamera() async throws {
    let sleeps = Sleeps()
    let source = ScriptedEmotionSource(
      scenes: [scene(.zero, .neutral), scene(.seconds(1), .anger), scene(.seconds(3), nil)],
      sleep: { await sleeps.add($0) })
    var events: [EmotionEvent] = []
    for await event in try await source.start() { events.append(event) }
    let face = FaceID(rawValue: 1)
    let frames = events.compactMap { event in
      if case .frame(let readings) = event { readings } else { nil }
    }
    #expect(frames.map { $0.map(\.dominant) } == [[.neutral], [.anger], []])
    #expect(events.first == .faceAppeared(face))
    #expect(events.suffix(2) == [.faceLost(face), .frame([])])
    #expect(await sleeps.all == [.seconds(1), .seconds(2)])
  }

  @Test func aRepeatingScriptEndsWithItsListener() async throws {
    let source = ScriptedEmotionSource(
      scenes: [scene(.zero, .neutral), scene(.milliseconds(100), .neutral)], repeats: true,
      sleep: { _ in await Task.yield() })
    var appearances: [FaceID] = []
    for await event in try await source.start() {
      if case .faceAppeared(let face) = event { appearances.append(face) }
      if appearances.count == 3 { break }
    }
    #expect(appearances.count == 3)
    await source.stop()
  }

  @Test func aCancelledListenerEndsAtOnce() async throws {
    let events = try await ScriptedEmotionSource.twoFaces().start()
    let listener = Task {
      var count = 0
      for await _ in events { count += 1 }
      return count
    }
    listener.cancel()
    // A script of sixteen seconds that repeats: this would otherwise never return.
    _ = await listener.value
  }

  @Test func aFailingSourceFails() async {
    await #expect(throws: EmotionKitError.cameraUnauthorized) {
      try await ScriptedEmotionSource(failure: .cameraUnauthorized).start()
    }
  }

  @Test func anEmptyScriptEnds() async throws {
    let events = try await ScriptedEmotionSource(scenes: [], repeats: true).start()
    for await event in events { Issue.record("\(event)") }
  }

  /// The script behind the previews shows what a view has to cope with.
  @Test func theReadyMadeScriptGoesThroughAllEmotionsInsideThePicture() async throws {
    var seen: Set<Emotion> = []
    var faces: Set<FaceID> = []
    var uncertain = 0
    let source = ScriptedEmotionSource.twoFaces(sleep: { _ in await Task.yield() })
    var frames = 0
    for await event in try await source.start() {
      guard case .frame(let readings) = event else { continue }
      frames += 1
      for reading in readings {
        faces.insert(reading.faceID)
        if let dominant = reading.dominant { seen.insert(dominant) } else { uncertain += 1 }
        let box = reading.boundingBox
        #expect(box.isUsable && box.x >= 0 && box.y >= 0)
        #expect(box.x + box.width <= 1 && box.y + box.height <= 1)
      }
      if frames == 160 { break }
    }
    #expect(seen == Set(Emotion.known) && faces.count == 2 && uncertain > 0)
  }
}
