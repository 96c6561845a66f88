import EmotionKitCore
import Foundation
import Testing

/// A clip of drawn faces goes through the portable pipeline, and everything Python said of it has to
/// come out: which frames, which faces, which regions, who is who, probabilities, answers, events.
@Suite struct EventParityTests {
  /// The project's clip; and in a package that `ferconv` wrote, the same clip as its own model sees it.
  private static func clip(_ name: String) throws -> EventClip? {
    try Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Golden")
      .map(EventClip.init(contentsOf:))
  }

  @Test func theClipThroughTheRecordingAnalyzer() async throws {
    try await Self.replay(#require(try Self.clip("events")))
  }

  @Test func theClipThroughTheLivePipeline() async throws {
    try await Self.replayLive(#require(try Self.clip("events")))
  }

  @Test func theClipAsThePackagesOwnModelSeesIt() async throws {
    guard let own = try Self.clip("model-events") else {
      let isRequired = ProcessInfo.processInfo.environment["EMOTIONKIT_REQUIRE_MODEL"] == "1"
      #expect(!isRequired, "EMOTIONKIT_REQUIRE_MODEL=1, but there is no model-events.json")
      print("EmotionKit: events of the package's own model ABSENT, nothing to check")
      return
    }
    try await Self.replay(own)
    print("EmotionKit: events of the package's own model PRESENT, checked")
  }

  /// Python and Swift declare the same defaults.
  @Test func theClipIsJudgedByTheDefaults() throws {
    let clip = try #require(try Self.clip("events"))
    #expect(clip.configuration == PipelineConfiguration())
  }

  /// What the clip is for; a clip without it would prove less than it says.
  @Test func theClipHasEverythingInIt() throws {
    let clip = try #require(try Self.clip("events"))
    let moments = clip.frames.compactMap(\.moment)
    let events = moments.flatMap(\.events)
    #expect(clip.frames.contains { $0.moment == nil })
    #expect(moments.contains { $0.chosen.count == clip.rules.maximumFaces })
    #expect(moments.contains { $0.chosen != $0.chosen.sorted() })
    #expect(events.contains { $0.kind == "appeared" } && events.contains { $0.kind == "lost" })
    #expect(events.contains { $0.kind == "changed" && $0.from != nil && $0.to != nil })
    #expect(events.contains { $0.kind == "changed" && $0.from != nil && $0.to == nil })
    let steps = zip(clip.frames, clip.frames.dropFirst()).map { $1.timeMs - $0.timeMs }
    #expect(steps.contains { $0 < -clip.rules.resetGapMs })
    #expect(steps.contains { $0 < 0 && $0 > -clip.rules.resetGapMs })
    #expect(steps.contains(0))
    #expect(steps.contains { $0 > 300 && $0 < clip.rules.resetGapMs })
  }
}

extension EventParityTests {
  private static func frames(of clip: EventClip) throws -> [ClipFrame] {
    try #require(clip.schema == "emotionkit.events" && clip.version == 1)
    // Comparing nothing is a failure.
    try #require(clip.frames.contains { !($0.moment?.events ?? []).isEmpty })
    let labels = clip.labels.map(Emotion.init(rawValue:))
    return clip.frames.map { frame in
      ClipFrame(
        orientedSize: clip.imageSize, labels: labels, regionTolerance: clip.tolerances.regionPx,
        content: frame)
    }
  }

  private static func replay(_ clip: EventClip) async throws {
    let analyzer = RecordingAnalyzer(
      detector: ClipDetector(), classifier: ClipClassifier(), cropMargin: clip.cropMargin,
      configuration: clip.configuration)
    for frame in try frames(of: clip) {
      let place = "at \(frame.content.timeMs) ms"
      let mine = try await analyzer.analyze(frame, at: .milliseconds(frame.content.timeMs))
      #expect((mine == nil) == (frame.content.moment == nil), "\(place)")
      if let mine, let theirs = frame.content.moment {
        compare(mine.readings, theirs, clip, place)
        compare(mine.events, theirs, place)
      }
    }
  }

  /// Frame by frame, waiting for each: the live pipeline drops what it is not given time for.
  private static func replayLive(_ clip: EventClip) async throws {
    let pipeline = EmotionPipeline(
      detector: ClipDetector(), classifier: ClipClassifier(), cropMargin: clip.cropMargin,
      configuration: clip.configuration)
    var events = pipeline.events().makeAsyncIterator()
    var skipped = 0
    for frame in try frames(of: clip) {
      let place = "live, at \(frame.content.timeMs) ms"
      pipeline.submit(frame, at: .milliseconds(frame.content.timeMs))
      guard let theirs = frame.content.moment else {
        skipped += 1
        while await pipeline.statistics.skipped < skipped { await Task.yield() }
        continue
      }
      let told = try #require(await events.throughNextFrameOrFailure(), "\(place)")
      guard case .frame(let readings) = told.last else {
        Issue.record("\(place): \(told)")
        return
      }
      compare(readings, theirs, clip, place)
      compare(told, theirs, place)
    }
    #expect(await pipeline.statistics.analyzed == clip.frames.count - skipped)
  }

  private static func compare(
    _ mine: [EmotionReading], _ theirs: EventClip.Moment, _ clip: EventClip, _ place: String
  ) {
    #expect(mine.map(\.faceID.rawValue) == theirs.identities, "\(place)")
    #expect(mine.map(\.dominant?.rawValue) == theirs.answers, "\(place)")
    #expect(theirs.smoothed.count == mine.count && theirs.regions.count == mine.count, "\(place)")
    for (reading, smoothed) in zip(mine, theirs.smoothed) {
      #expect(smoothed.count == clip.labels.count, "\(place)")
      for (label, theirs) in zip(clip.labels, smoothed) {
        let mine = reading.probabilities[Emotion(rawValue: label)]
        #expect(
          abs(mine - theirs) < clip.tolerances.probability,
          "\(place): \(label) is \(mine), not \(theirs)")
      }
    }
  }

  private static func compare(
    _ mine: [EmotionEvent], _ theirs: EventClip.Moment, _ place: String
  ) {
    let told = mine.compactMap { event -> EventClip.Event? in
      switch event {
      case .faceAppeared(let id):
        .init(kind: "appeared", face: id.rawValue, from: nil, to: nil)
      case .faceLost(let id):
        .init(kind: "lost", face: id.rawValue, from: nil, to: nil)
      case .changed(let id, let from, let to, _):
        .init(kind: "changed", face: id.rawValue, from: from?.rawValue, to: to?.rawValue)
      default: nil
      }
    }
    #expect(told == theirs.events, "\(place)")
    #expect(mine.count == theirs.events.count + 1, "\(place): the frame comes last, once")
  }
}

extension AsyncStream.Iterator where Element == EmotionEvent {
  /// All events up to and including the next analysed frame or failure; nil when the stream ends.
  fileprivate mutating func throughNextFrameOrFailure() async -> [EmotionEvent]? {
    var events: [EmotionEvent] = []
    while let event = await next() {
      events.append(event)
      switch event {
      case .frame, .failed: return events
      default: break
      }
    }
    return nil
  }
}
