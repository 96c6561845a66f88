#if canImport(SwiftUI)
  import EmotionKit
  import SwiftUI

  /// Boxes and captions over a view that shows the analysed image.
  public struct EmotionOverlay: View {
    private let readings: [EmotionReading]
    private let contentMode: ViewProjection.ContentMode
    private let quarterTurns: Int
    private let mirrored: Bool

    /// Creates an overlay.
    ///
    /// - Parameters:
    ///   - readings: the faces of one frame.
    ///   - contentMode: how the view below scales its image.
    ///   - quarterTurns: by how many quarters clockwise the view below shows the image turned.
    ///   - mirrored: true when the view below shows the mirror image of what was analysed.
    public init(
      readings: [EmotionReading], contentMode: ViewProjection.ContentMode = .fill,
      quarterTurns: Int = 0, mirrored: Bool = false
    ) {
      self.readings = readings
      self.contentMode = contentMode
      self.quarterTurns = quarterTurns
      self.mirrored = mirrored
    }

    /// The view's content.
    public var body: some View {
      GeometryReader { geometry in
        ForEach(readings, id: \.faceID) { reading in
          if let frame = frame(of: reading, in: geometry.size) {
            FaceBox(reading: reading)
              .frame(width: frame.width, height: frame.height)
              .position(x: frame.midX, y: frame.midY)
          }
        }
      }
      .allowsHitTesting(false)
    }

    private func frame(of reading: EmotionReading, in size: CGSize) -> CGRect? {
      let projection = ViewProjection(
        image: reading.imageSize, viewWidth: size.width, viewHeight: size.height,
        mode: contentMode, quarterTurns: quarterTurns, mirrored: mirrored)
      return projection.project(reading.boundingBox)
    }
  }

  /// One face: a box, dashed while uncertain, with its caption above.
  private struct FaceBox: View {
    let reading: EmotionReading

    var body: some View {
      RoundedRectangle(cornerRadius: 8)
        // The dashes say it to those who do not see the colour.
        .stroke(
          reading.dominant == nil ? Color.gray : Color.green,
          style: StrokeStyle(lineWidth: 2, dash: reading.dominant == nil ? [6, 4] : [])
        )
        .overlay(alignment: .top) {
          Text(LiveState.caption(for: reading))
            .font(.caption.bold())
            .padding(4)
            .background(.thinMaterial, in: Capsule())
            .fixedSize()
            .alignmentGuide(.top) { $0[.bottom] + 4 }
        }
        .accessibilityElement(children: .ignore)
        .accessibilityLabel(LiveState.spoken(for: reading))
        .accessibilityAddTraits(.updatesFrequently)
    }
  }
#endif
