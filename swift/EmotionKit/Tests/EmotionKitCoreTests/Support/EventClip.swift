import EmotionKitCore
import Foundation

/// `events.json`: a clip as a detector and a network saw it, and what Python says follows from it.
/// Format and tolerances: `docs/design/015-event-parity.md` of the toolchain.
struct EventClip: Decodable, Sendable {
  struct Rules: Decodable, Sendable {
    let targetRate: Double
    let maximumFaces: Int
    let minimumFaceHeight: Double
    let minimumConfidence: Double
    let minimumOverlap: Double
    let lostTimeoutMs: Int
    let resetGapMs: Int
    let smoothingMs: Int
    let enter: Double
    let leave: Double
    let minimumDwellMs: Int
  }
  struct Tolerances: Decodable, Sendable {
    let regionPx: Double
    let probability: Double
  }
  struct Face: Decodable, Sendable {
    /// Pixels, top-left origin.
    let box: [Double]
    let confidence: Double
    let quality: Double?
    /// Nil where the network is not to be asked.
    let answer: [Double]?
  }
  struct Event: Decodable, Hashable, Sendable {
    let kind: String
    let face: UInt64
    let from: String?
    let to: String?
  }
  struct Moment: Decodable, Sendable {
    let chosen: [Int]
    let regions: [[Double]]
    let identities: [UInt64]
    let smoothed: [[Double]]
    let answers: [String?]
    let events: [Event]
  }
  struct Frame: Decodable, Sendable {
    let timeMs: Int
    let faces: [Face]
    /// Nil where the frame is left out to keep the rate.
    let moment: Moment?
  }

  let schema: String
  let version: Int
  let labels: [String]
  let cropMargin: Double
  let image: [Int]
  let rules: Rules
  let tolerances: Tolerances
  let frames: [Frame]

  init(contentsOf url: URL) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    self = try decoder.decode(EventClip.self, from: Data(contentsOf: url))
  }

  var imageSize: PixelSize { PixelSize(width: image[0], height: image[1]) }

  var configuration: PipelineConfiguration {
    PipelineConfiguration(
      maximumFaces: rules.maximumFaces, minimumFaceHeight: rules.minimumFaceHeight,
      minimumDetectionConfidence: rules.minimumConfidence,
      targetRate: rules.targetRate,
      minimumOverlap: rules.minimumOverlap, lostTimeout: .milliseconds(rules.lostTimeoutMs),
      smoothing: .milliseconds(rules.smoothingMs), resetGap: .milliseconds(rules.resetGapMs),
      enter: rules.enter, leave: rules.leave, minimumDwell: .milliseconds(rules.minimumDwellMs))
  }
}

/// One frame of a clip, for a detector and a network that say what is written in it.
struct ClipFrame: AnalyzableFrame {
  let orientedSize: PixelSize
  let labels: [Emotion]
  let regionTolerance: Double
  let content: EventClip.Frame
}

struct ClipDetector: FaceDetecting {
  func faces(in frame: ClipFrame) async throws -> [DetectedFace] {
    frame.content.faces.map { face in
      let box = PixelRect(x: face.box[0], y: face.box[1], width: face.box[2], height: face.box[3])
      return DetectedFace(
        box: UnitRect(box, in: frame.orientedSize), confidence: face.confidence,
        captureQuality: face.quality)
    }
  }
}

/// Answers as the network did, and only about the regions that it was shown.
struct ClipClassifier: EmotionClassifying {
  struct Unexpected: LocalizedError {
    let errorDescription: String?
  }

  func classify(
    _ region: UnitRect, in frame: ClipFrame
  ) async throws -> EmotionDistribution {
    let asked = PixelRect(region, in: frame.orientedSize)
    let regions = frame.content.moment?.regions ?? []
    let place = regions.firstIndex { known in
      known.count == 4
        && zip([asked.x, asked.y, asked.width, asked.height], known).allSatisfy {
          abs($0 - $1) < frame.regionTolerance
        }
    }
    guard let place, let moment = frame.content.moment,
      let answer = frame.content.faces[moment.chosen[place]].answer
    else {
      throw Unexpected(
        errorDescription: "the network is asked about \(asked); Python's regions: \(regions)")
    }
    return try EmotionDistribution(weights: answer, labels: frame.labels)
  }
}
