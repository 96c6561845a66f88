import Foundation

@testable import EmotionKitCore

/// Five faces that wander about, a network that answers at once, and up to two listeners.
///
/// Everything EmotionKit does for a frame is in the measured loop except Vision, Core ML and the
/// camera: choosing and planning regions, recognising the faces, averaging, deciding, and sending
/// the events.
@main
struct FrameWork {
  static let faces = 5

  static func main() async throws {
    let frames = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 1_000_000
    let scene = try Scene(frames: 4096)
    for listeners in [0, 2] {
      _ = try await run(scene, frames: 20_000, listeners: listeners)  // fills buffers and caches
      let before = Memory.now()
      let first = try await run(scene, frames: frames / 2, listeners: listeners)
      let middle = Memory.now()
      let second = try await run(scene, frames: frames / 2, listeners: listeners)
      let after = Memory.now()
      let microseconds = min(first, second) / Double(frames / 2) * 1e6
      print("\(listeners) listeners: \(hundredths(microseconds)) µs a frame, the better half")
      report("  resident", before.resident, middle.resident, after.resident)
      report("  allocated", before.allocated, middle.allocated, after.allocated)
    }
    try await roundTrip(scene, frames: min(frames, 100_000))
  }

  /// Returns seconds.
  private static func run(
    _ scene: Scene, frames: Int, listeners: Int
  ) async throws -> Double {
    let configuration = PipelineConfiguration(maximumFaces: faces)
    let analyzer = FrameAnalyzer(
      detector: scene, classifier: scene, cropMargin: 0.3, configuration: configuration)
    var session = FaceSession(configuration: configuration)
    let hub = EventHub<EmotionEvent>()
    let listening = (0..<listeners).map { _ in
      let stream = hub.stream()
      return Task { await stream.reduce(into: 0) { count, _ in count += 1 } }
    }
    var sent = 0
    let start = ContinuousClock.now
    for number in 0..<frames {
      let frame = Numbered(number: number)
      let analyzed = try await analyzer.analyze(frame)
      let (_, events) = session.advance(
        analyzed, imageSize: frame.orientedSize, at: .milliseconds(number * 33))
      for event in events { hub.send(event) }
      sent += events.count
    }
    let elapsed = ContinuousClock.now - start
    hub.finish()
    for listener in listening {
      let received = await listener.value
      precondition(received > 0 && received <= sent, "\(received) of \(sent) events arrived")
    }
    return elapsed.inSeconds
  }

  /// The same through the actor: hand in a frame, wait for its events.
  private static func roundTrip(_ scene: Scene, frames: Int) async throws {
    let pipeline = EmotionPipeline(
      detector: scene, classifier: scene, cropMargin: 0.3,
      configuration: PipelineConfiguration(
        maximumFaces: faces, targetRate: 1e6))
    var events = pipeline.events().makeAsyncIterator()
    let start = ContinuousClock.now
    for number in 0..<frames {
      pipeline.submit(Numbered(number: number), at: .milliseconds(number * 33))
      while let event = await events.next() {
        if case .frame = event { break }
      }
    }
    let elapsed = (ContinuousClock.now - start).inSeconds / Double(frames) * 1e6
    print("through the pipeline actor, one frame after another: \(hundredths(elapsed)) µs")
  }

  private static func hundredths(_ value: Double) -> Double { (value * 100).rounded() / 100 }

  private static func report(_ name: String, _ values: Int...) {
    let texts = values.map { "\(hundredths(Double($0) / 1e6))" }
    print("\(name): \(texts.joined(separator: ", ")) MB before, halfway, after")
  }
}

struct Numbered: AnalyzableFrame {
  let number: Int
  let orientedSize = PixelSize(width: 1280, height: 720)
}

/// Frames made beforehand, so that making them is not measured.
struct Scene: FaceDetecting, EmotionClassifying {
  private let boxes: [[DetectedFace]]
  private let answers: [EmotionDistribution]

  init(frames: Int) throws {
    boxes = (0..<frames).map { frame in
      (0..<FrameWork.faces).map { face in
        let phase = Double(frame) * 2 * .pi / Double(frames) + Double(face)
        return DetectedFace(
          box: UnitRect(
            x: 0.02 + 0.19 * Double(face) + 0.01 * sin(8 * phase), y: 0.4 + 0.1 * cos(8 * phase),
            width: 0.14, height: 0.2))
      }
    }
    answers = try (0..<frames).map { frame in
      let lead = frame / 64 % Emotion.known.count
      return try EmotionDistribution(
        logits: Emotion.known.indices.map { $0 == lead ? 3 : Double((frame + $0) % 5) / 5 })
    }
  }

  func faces(in frame: Numbered) async throws -> [DetectedFace] {
    boxes[frame.number % boxes.count]
  }

  func classify(_ region: UnitRect, in frame: Numbered) async throws -> EmotionDistribution {
    answers[frame.number % answers.count]
  }
}
