import EmotionKit
import Testing

/// `import EmotionKit` alone is enough for an app, on every platform.
@Suite struct ExportTests {
  @Test func oneImportGivesCoreAndModel() {
    #expect(Emotion.known.count == 8)
    #expect(EmotionModelBundle.folderName == "Models")
    #expect(EmotionConfiguration().computeUnits == .cpuAndNeuralEngine)
    #expect(EmotionConfiguration().pipeline.targetRate == 12)
  }
}
