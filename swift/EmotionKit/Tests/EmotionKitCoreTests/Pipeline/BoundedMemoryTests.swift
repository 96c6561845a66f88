import Foundation
import Testing

@_spi(Diagnostics) @testable import EmotionKitCore

/// A hundred thousand frames: what is stored is counted, object by object.
@Suite(.timeLimit(.minutes(5))) struct BoundedMemoryTests {
  /// Faces come, move, jump and go for 100,000 frames, two hours; nothing that was lost is kept.
  @Test func aSessionRemembersOnlyTheFacesOfTheLastSecond() throws {
    var generator = SplitMix64(seed: 26)
    var session = FaceSession(configuration: PipelineConfiguration())
    var gate = FrameGate(rate: 12)
    var latency = LatencyRecorder()
    let answers = Emotion.known.map { EmotionDistribution.mostly($0) }
    let size = PixelSize(width: 640, height: 480)
    var alive: Set<FaceID> = []
    var everSeen = 0
    var most = 0
    for frame in 0..<100_000 {
      let time = Duration.milliseconds(80 * frame)
      // Somebody new on average twice a second, nobody in one frame of four.
      let x = Double((frame / 7 + Int(generator.next() % 5)) % 5) * 0.2
      let faces =
        frame % 4 == 0
        ? []
        : [
          AnalyzedFace(
            face: DetectedFace(box: UnitRect(x: x, y: 0.3, width: 0.15, height: 0.2)),
            distribution: answers[frame % 8])
        ]
      _ = gate.admit(at: time)
      for event in session.advance(faces, imageSize: size, at: time).events {
        switch event {
        case .faceAppeared(let id):
          alive.insert(id)
          everSeen += 1
        case .faceLost(let id): alive.remove(id)
        default: break
        }
      }
      latency.record(.milliseconds(frame % 50), for: .total)
      most = max(most, session.rememberedFaces)
    }
    // Thousands of faces came and went; five places can hold five.
    #expect(everSeen > 1000)
    #expect(most <= 5)
    #expect(session.rememberedFaces == alive.count)
    #expect(latency.summaries[.total]?.samples == LatencyRecorder.capacity)
  }

  /// A camera's buffers come from a small pool: the pipeline may hold the frame it works on and one
  /// more, whatever is handed in.
  @Test func aStuckNetworkHoldsTwoFramesOfAHundredThousand() async {
    let counter = LiveFrames()
    let classifier = StuckClassifier()
    let pipeline = EmotionPipeline(
      detector: CountedDetector(), classifier: classifier, cropMargin: 0.3,
      clock: PipelineClock(ManualClock()))
    var started = classifier.started.makeAsyncIterator()
    pipeline.submit(CountedFrame(counter), at: .zero)
    _ = await started.next()
    var most = 0
    for frame in 1..<100_000 {
      pipeline.submit(CountedFrame(counter), at: .milliseconds(frame))
      most = max(most, counter.alive)
    }
    #expect(most == 2)
    #expect(await pipeline.statistics.replaced == 99_998)
    pipeline.finish()
    await classifier.release()
    while !Task.isCancelled, counter.alive > 0 { await Task.yield() }
  }
}

/// How many frames exist.
private final class LiveFrames: @unchecked Sendable {
  // Read and written under the lock.
  private let lock = NSLock()
  private var count = 0

  var alive: Int { lock.withLock { count } }
  func add(_ change: Int) { lock.withLock { count += change } }
}

/// A frame that is counted for as long as anybody holds it.
private final class CountedFrame: AnalyzableFrame {
  let orientedSize = PixelSize(width: 640, height: 480)
  private let counter: LiveFrames

  init(_ counter: LiveFrames) {
    self.counter = counter
    counter.add(1)
  }

  deinit { counter.add(-1) }
}

private struct CountedDetector: FaceDetecting {
  func faces(in frame: CountedFrame) async throws -> [DetectedFace] {
    [DetectedFace(box: UnitRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2))]
  }
}

private final class StuckClassifier: EmotionClassifying {
  let started: AsyncStream<Void>
  private let starts: AsyncStream<Void>.Continuation
  private let hold = Hold()

  init() { (started, starts) = AsyncStream.makeStream(of: Void.self) }

  func release() async { await hold.release() }

  func classify(_ region: UnitRect, in frame: CountedFrame) async throws -> EmotionDistribution {
    starts.yield()
    await hold.wait()
    return .uniform
  }
}
