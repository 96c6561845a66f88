/// Something live that a view can show: the camera, or a script in a preview.
public protocol EmotionSource: Sendable {
  /// Starts, and returns everything that happens from then on.
  ///
  /// - Throws: ``EmotionKitError``, or `CancellationError`.
  func start() async throws -> AsyncStream<EmotionEvent>

  /// Stops; it can be started again.
  func stop() async
}

/// Plays prepared faces as if a camera saw them: for SwiftUI previews, screenshots and tests of
/// an app's own views.
///
/// The faces go through the same tracking, smoothing and hysteresis as a camera's.
///
///     EmotionCameraView(source: ScriptedEmotionSource.twoFaces())
public struct ScriptedEmotionSource: EmotionSource {
  /// A face, and what the network would say of it.
  public struct Face: Hashable, Sendable {
    /// In units of the upright picture, with a lower-left origin.
    public var box: UnitRect
    /// The network's answer for this moment alone.
    public var probabilities: EmotionDistribution
    /// How well the face was captured, `0...1`; nil for unknown.
    public var captureQuality: Double?

    /// Creates a face.
    public init(
      box: UnitRect, probabilities: EmotionDistribution, captureQuality: Double? = nil
    ) {
      self.box = box
      self.probabilities = probabilities
      self.captureQuality = captureQuality
    }

    fileprivate var analyzed: AnalyzedFace {
      AnalyzedFace(
        face: DetectedFace(box: box, captureQuality: captureQuality), distribution: probabilities)
    }
  }

  /// What is seen at one moment.
  public struct Scene: Hashable, Sendable {
    /// Since the start of the script.
    public var time: Duration
    /// Everybody in view.
    public var faces: [Face]

    /// Creates a scene.
    public init(time: Duration, faces: [Face]) {
      self.time = time
      self.faces = faces
    }
  }

  private let scenes: [Scene]
  private let imageSize: PixelSize
  private let repeats: Bool
  private let configuration: PipelineConfiguration
  private let failure: EmotionKitError?
  private let sleep: @Sendable (Duration) async throws -> Void

  /// Creates a source.
  ///
  /// - Parameters:
  ///   - scenes: by ascending time.
  ///   - imageSize: of the picture the faces are in.
  ///   - repeats: start again after the last scene, as another recording.
  ///   - sleep: waits between scenes; replace it to play without waiting.
  public init(
    scenes: [Scene], imageSize: PixelSize = PixelSize(width: 720, height: 1280),
    repeats: Bool = false, configuration: PipelineConfiguration = PipelineConfiguration(),
    sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) {
    self.scenes = scenes
    self.imageSize = imageSize
    self.repeats = repeats
    self.configuration = configuration
    self.sleep = sleep
    failure = nil
  }

  /// Creates a source that cannot be started, to look at an error state.
  public init(failure: EmotionKitError) {
    scenes = []
    imageSize = PixelSize(width: 1, height: 1)
    repeats = false
    configuration = PipelineConfiguration()
    sleep = { _ in }
    self.failure = failure
  }

  /// Starts the script from its beginning. Every call plays it independently; dropping the stream
  /// ends it.
  ///
  /// - Throws: the failure it was made with.
  public func start() async throws -> AsyncStream<EmotionEvent> {
    if let failure { throw failure }
    let (stream, continuation) = AsyncStream.makeStream(
      of: EmotionEvent.self, bufferingPolicy: .bufferingNewest(256))
    let player = Task {
      defer { continuation.finish() }
      repeat {
        var session = FaceSession(configuration: configuration)
        var now = Duration.zero
        for scene in scenes {
          if scene.time > now {
            guard (try? await sleep(scene.time - now)) != nil else { return }
          }
          now = scene.time
          let faces = scene.faces.map(\.analyzed)
          for event in session.advance(faces, imageSize: imageSize, at: now).events {
            continuation.yield(event)
          }
        }
        for event in session.reset() { continuation.yield(event) }
        // A script without scenes would spin.
      } while repeats && !scenes.isEmpty && !Task.isCancelled
    }
    continuation.onTermination = { _ in player.cancel() }
    return stream
  }

  /// Does nothing: a script ends when its stream is dropped.
  public func stop() async {}
}

extension ScriptedEmotionSource {
  /// Two faces that go through all eight emotions, ten scenes a second for sixteen seconds, over
  /// and over.
  ///
  /// - Parameter sleep: waits between scenes; replace it to play without waiting.
  public static func twoFaces(
    sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) -> ScriptedEmotionSource {
    let scenes = (0..<160).map { index in
      let phase = Double(index) / 160
      let sway = 0.04 * triangle(phase * 4)
      return Scene(
        time: .milliseconds(100 * index),
        faces: [
          face(x: 0.10 + sway, y: 0.50, width: 0.36, moment: phase * 8, quality: 0.8),
          face(x: 0.58 - sway, y: 0.22, width: 0.28, moment: phase * 8 + 3, quality: 0.5),
        ])
    }
    return ScriptedEmotionSource(scenes: scenes, repeats: true, sleep: sleep)
  }

  /// Between -1 and 1 and back with a period of 1, without leaving the standard library.
  private static func triangle(_ phase: Double) -> Double {
    4 * abs(phase - (phase + 0.5).rounded(.down)) - 1
  }

  /// `moment` walks through the emotions, one for each unit, fading from one to the next.
  private static func face(
    x: Double, y: Double, width: Double, moment: Double, quality: Double
  ) -> Face {
    let emotions = Emotion.known
    let step = Int(moment)
    let fade = min(max((moment - Double(step) - 0.7) / 0.3, 0), 1)
    var weights = [Double](repeating: 0.02, count: emotions.count)
    weights[step % emotions.count] += 0.8 * (1 - fade)
    weights[(step + 1) % emotions.count] += 0.8 * fade
    return Face(
      // Faces are a little higher than wide, and the scripted picture is 9 : 16.
      box: UnitRect(x: x, y: y, width: width, height: width * 1.2 * 9 / 16),
      probabilities: (try? EmotionDistribution(weights: weights)) ?? .uniform,
      captureQuality: quality)
  }
}
