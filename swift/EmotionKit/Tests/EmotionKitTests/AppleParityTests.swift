#if canImport(Vision)
  import Foundation
  import Testing
  import Vision

  @testable import EmotionKit

  /// Apple's own Core ML and Vision against the numbers Python wrote, picture by picture.
  ///
  /// Needs a model and the pictures its `golden.json` speaks of; without them nothing is compared:
  ///
  ///     EMOTIONKIT_PARITY_MODELS=…/Models EMOTIONKIT_PARITY_FIXTURES=…/fixtures swift test
  @Suite struct AppleParityTests {
    /// Vision resizes with a filter of its own, so this is wider than what the gate allows most
    /// images of a file.
    static let tolerance = 0.1

    struct Golden: Decodable {
      struct Image: Decodable {
        let name: String
        /// Nil for a picture that was made to break a pipeline; the parity report has those.
        let label: String?
        let probabilities: [Double]
      }
      let images: [Image]
    }

    static let models = folder("EMOTIONKIT_PARITY_MODELS")
    static let fixtures = folder("EMOTIONKIT_PARITY_FIXTURES")

    static func folder(_ variable: String) -> URL? {
      ProcessInfo.processInfo.environment[variable].map { URL(fileURLWithPath: $0) }
    }

    @Test(
      .enabled(
        if: models != nil && fixtures != nil,
        "NOT RUN: EMOTIONKIT_PARITY_MODELS and EMOTIONKIT_PARITY_FIXTURES are not set"),
      arguments: ComputeUnits.allCases)
    func visionAndCoreMLGiveTheCheckpointsProbabilities(units: ComputeUnits) async throws {
      let models = try #require(Self.models)
      let fixtures = try #require(Self.fixtures)
      let golden = try JSONDecoder().decode(
        Golden.self, from: Data(contentsOf: models.appendingPathComponent("golden.json")))
      let located = try ModelLocator(directories: [models]).locate()
      let prepared = try await CoreMLModelLoader().prepare(.url(located.url))
      let opened = try CoreMLModelLoader.open(prepared, units: units)
      let request = VNCoreMLRequest(model: try VNCoreMLModel(for: opened.model))
      request.imageCropAndScaleOption = .scaleFill

      let faces = golden.images.filter { $0.label != nil }
      #expect(!faces.isEmpty, "comparing nothing proves nothing")
      var worst = 0.0
      for image in faces {
        let frame = try EmotionFrame(contentsOf: fixtures.appendingPathComponent(image.name))
        // A fixture is used as the training uses a picture: its centred square.
        request.regionOfInterest = Self.centredSquare(of: frame.orientedSize)
        try frame.handler.perform([request])
        let answers = try #require(request.results as? [VNClassificationObservation])
        let labelled = answers.map { ($0.identifier, Double($0.confidence)) }
        let mine = try EmotionDistribution(
          labelled: Dictionary(labelled, uniquingKeysWith: { first, _ in first }))
        for (label, theirs) in zip(opened.contract.labels, image.probabilities) {
          worst = max(worst, abs(mine[label] - theirs))
          #expect(abs(mine[label] - theirs) < Self.tolerance, "\(image.name) \(label)")
        }
      }
      print(
        "EmotionKit: Apple parity on \(faces.count) faces, \(units) asked and "
          + "\(opened.diagnostics.active) used: largest difference \(worst)")
    }

    private static func centredSquare(of size: PixelSize) -> CGRect {
      let side = Double(size.shorterSide)
      let width = side / Double(size.width)
      let height = side / Double(size.height)
      return CGRect(x: (1 - width) / 2, y: (1 - height) / 2, width: width, height: height)
    }
  }
#endif
