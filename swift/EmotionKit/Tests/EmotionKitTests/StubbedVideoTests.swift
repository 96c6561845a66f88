#if EMOTIONKIT_APPLE_STUBS
  import AVFoundation
  import Foundation
  import Testing
  import Vision

  @testable import EmotionKit

  extension StubbedAppleLayerTests {
    // MARK: Videos

    private func video(_ change: (inout StubVideo.Script) -> Void) throws -> URL {
      var script = StubVideo.Script()
      // Four seconds at 30 frames a second.
      script.times = (0..<120).map { Double($0) / 30 }
      change(&script)
      StubVideo.reset(script)
      let url = world.folder.appendingPathComponent("movie.mov")
      try Data("movie".utf8).write(to: url)
      return url
    }

    private func analyzer(rate: Double = 10) async throws -> VideoAnalyzer {
      let configuration = EmotionConfiguration(
        pipeline: PipelineConfiguration(targetRate: rate))
      return VideoAnalyzer(
        engine: try await world.engine(configuration), configuration: configuration)
    }

    @Test func aVideoIsReadToItsEndAtItsOwnPace() async throws {
      world.vision { $0.faces = [CGRect(x: 0.4, y: 0.4, width: 0.2, height: 0.2)] }
      let url = try video { _ in }
      var moments: [RecordedMoment] = []
      for try await moment in try await analyzer().moments(in: url) { moments.append(moment) }
      // Ten a second; a sample without a picture moves its frame by a thirtieth of a second.
      #expect((36...40).contains(moments.count))
      #expect(zip(moments, moments.dropFirst()).allSatisfy { $0.time < $1.time })
      #expect(moments.first?.time == .zero && (moments.last?.time ?? .zero) > .milliseconds(3800))
      #expect(moments.allSatisfy { $0.readings.map(\.faceID) == [FaceID(rawValue: 1)] })
      // Recorded with the phone upright: the transform reaches Vision.
      #expect(Set(StubVision.detections) == [.right])
      #expect(moments.first?.readings.first?.imageSize == PixelSize(width: 1080, height: 1920))
      let changes = moments.flatMap(\.events).filter {
        if case .changed = $0 { true } else { false }
      }
      #expect(changes.count == 1)
    }

    @Test func framesAreDecodedOnDemand() async throws {
      let url = try video { _ in }
      var taken = 0
      for try await _ in try await analyzer().moments(in: url) {
        taken += 1
        if taken == 3 { break }
      }
      // Three moments are the frames 0, 3 and 6; nothing was decoded ahead.
      #expect(StubVideo.decoded == 7)
    }

    @Test func everyFailureHasItsReason() async throws {
      let failing: [(String, (inout StubVideo.Script) -> Void)] = [
        ("no video track", { $0.hasVideo = false }),
        ("cannot be decoded", { $0.canDecode = false }),
        ("did not start", { $0.starts = false }),
        (
          "disk is gone",
          {
            $0.failure = "the disk is gone"
            $0.times = []
          }
        ),
      ]
      for (expected, change) in failing {
        let url = try video(change)
        do {
          for try await _ in try await analyzer().moments(in: url) {}
          Issue.record("read a video with: \(expected)")
        } catch EmotionKitError.unreadableVideo(let reason) {
          #expect(reason.contains(expected))
        }
      }
      let missing = URL(fileURLWithPath: "/no/such/movie.mov")
      await #expect(throws: EmotionKitError.unreadableVideo(reason: "no such file")) {
        for try await _ in try await analyzer().moments(in: missing) {}
      }
    }

    @Test func aCancelledPassEnds() async throws {
      let url = try video { $0.times = (0..<100_000).map { Double($0) / 30 } }
      let analyzer = try await analyzer()
      let (started, continuation) = AsyncStream.makeStream(of: Void.self)
      let pass = Task {
        for try await _ in analyzer.moments(in: url) { continuation.yield() }
      }
      var iterator = started.makeAsyncIterator()
      await iterator.next()
      pass.cancel()
      _ = await pass.result
      #expect(StubVideo.decoded < 100_000)
    }
  }
#endif
