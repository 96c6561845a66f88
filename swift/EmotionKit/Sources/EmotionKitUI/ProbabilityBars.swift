#if canImport(SwiftUI)
  import EmotionKit
  import SwiftUI

  /// One bar for each emotion.
  ///
  /// At accessibility text sizes only the three most probable are shown, so that they stay readable.
  public struct ProbabilityBars: View {
    private let probabilities: EmotionDistribution
    private let dominant: Emotion?

    @Environment(\.dynamicTypeSize) private var typeSize
    @Environment(\.accessibilityReduceMotion) private var reduceMotion
    @ScaledMetric(relativeTo: .caption) private var barHeight = 8.0
    @ScaledMetric(relativeTo: .caption) private var labelWidth = 76.0
    @ScaledMetric(relativeTo: .caption) private var percentWidth = 40.0

    /// Creates bars.
    ///
    /// - Parameter dominant: the emotion to highlight.
    public init(probabilities: EmotionDistribution, dominant: Emotion? = nil) {
      self.probabilities = probabilities
      self.dominant = dominant
    }

    /// The view's content.
    public var body: some View {
      VStack(alignment: .leading, spacing: 4) {
        ForEach(emotions, id: \.self) { emotion in
          row(emotion)
        }
      }
      .accessibilityElement(children: .ignore)
      .accessibilityLabel(Phrase.probabilities.text)
      .accessibilityValue(LiveState.spoken(for: probabilities))
      .accessibilityAddTraits(.updatesFrequently)
    }

    /// In one order, so that bars do not jump about.
    private var emotions: [Emotion] {
      typeSize.isAccessibilitySize
        ? probabilities.ranked.prefix(3).map(\.emotion) : probabilities.labels
    }

    private func row(_ emotion: Emotion) -> some View {
      HStack(spacing: 8) {
        Text(Phrase.name(of: emotion))
          .frame(width: labelWidth, alignment: .leading)
        GeometryReader { geometry in
          Capsule()
            .fill(emotion == dominant ? Color.green : Color.gray)
            .frame(width: max(geometry.size.width * probabilities[emotion], 2))
            .animation(reduceMotion ? nil : .linear(duration: 0.1), value: probabilities[emotion])
        }
        .frame(height: barHeight)
        Text("\(LiveState.percent(probabilities[emotion])) %")
          .monospacedDigit()
          .frame(width: percentWidth, alignment: .trailing)
      }
      .font(.caption)
      .lineLimit(1)
      .minimumScaleFactor(0.7)
    }
  }
#endif
