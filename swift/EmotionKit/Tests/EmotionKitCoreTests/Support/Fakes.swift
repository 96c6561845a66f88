import EmotionKitCore

struct FakeFrame: AnalyzableFrame {
  var id = 0
  var orientedSize = PixelSize(width: 640, height: 480)
  var faces = [DetectedFace(box: UnitRect(x: 0.4, y: 0.4, width: 0.2, height: 0.25))]
}

/// Finds the faces that are written in the frame.
struct FakeDetector: FaceDetecting {
  func faces(in frame: FakeFrame) async throws -> [DetectedFace] { frame.faces }
}

/// Always gives the same answer.
struct FixedClassifier: EmotionClassifying {
  var answer: EmotionDistribution

  func classify(_ region: UnitRect, in frame: FakeFrame) async throws -> EmotionDistribution {
    answer
  }
}

/// Fails for frames with the given numbers.
struct FailingClassifier: EmotionClassifying {
  struct Broken: Error {}
  var failing: Set<Int>

  func classify(_ region: UnitRect, in frame: FakeFrame) async throws -> EmotionDistribution {
    if failing.contains(frame.id) { throw Broken() }
    return .mostly(.happiness)
  }
}

/// A network that is as slow as the test wants: it says when it starts and waits to be released.
final class HeldClassifier: EmotionClassifying {
  let started: AsyncStream<Int>
  private let starts: AsyncStream<Int>.Continuation
  private let hold = Hold()
  let wasCancelled: AsyncStream<Bool>
  private let cancellations: AsyncStream<Bool>.Continuation

  init() {
    (started, starts) = AsyncStream.makeStream(of: Int.self)
    (wasCancelled, cancellations) = AsyncStream.makeStream(of: Bool.self)
  }

  func release() async { await hold.release() }

  func classify(_ region: UnitRect, in frame: FakeFrame) async throws -> EmotionDistribution {
    starts.yield(frame.id)
    await hold.wait()
    cancellations.yield(Task.isCancelled)
    return .mostly(.happiness)
  }
}

/// A gate that a test opens once.
actor Hold {
  private var isOpen = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func wait() async {
    if isOpen { return }
    await withCheckedContinuation { waiting.append($0) }
  }

  func release() {
    isOpen = true
    for continuation in waiting { continuation.resume() }
    waiting = []
  }
}

extension EmotionDistribution {
  /// `share` for one emotion and the rest spread evenly.
  static func mostly(_ emotion: Emotion, _ share: Double = 0.9) -> EmotionDistribution {
    let weights = Emotion.known.map { $0 == emotion ? share : (1 - share) / 7 }
    return (try? EmotionDistribution(weights: weights)) ?? .uniform
  }
}

extension AsyncStream.Iterator where Element == EmotionEvent {
  /// All events up to and including the next analysed frame.
  mutating func throughNextFrame() async -> [EmotionEvent] {
    var events: [EmotionEvent] = []
    while let event = await next() {
      events.append(event)
      if case .frame = event { break }
    }
    return events
  }
}
