#if canImport(SwiftUI)
  import EmotionKit
  import SwiftUI

  /// Boxes and captions over a view that shows the analysed image.
  public struct EmotionOverlay: View {
    private let readings: [EmotionReading]
    private let contentMode: ViewProjection.ContentMode
    private let mirrored: Bool

    /// Creates an overlay.
    ///
    /// - Parameters:
    ///   - readings: the faces of one frame.
    ///   - contentMode: how the view below scales its image.
    ///   - mirrored: true when the view below shows the mirror image of what was analysed.
    public init(
      readings: [EmotionReading], contentMode: ViewProjection.ContentMode = .fill,
      mirrored: Bool = false
    ) {
      self.readings = readings
      self.contentMode = contentMode
      self.mirrored = mirrored
    }

    /// The view's content.
    public var body: some View {
      GeometryReader { geometry in
        ForEach(readings, id: \.faceID) { reading in
          if let frame = frame(of: reading, in: geometry.size) {
            box(for: reading)
              .frame(width: frame.width, height: frame.height)
              .position(x: frame.midX, y: frame.midY)
          }
        }
      }
      .allowsHitTesting(false)
    }

    private func box(for reading: EmotionReading) -> some View {
      RoundedRectangle(cornerRadius: 8)
        .stroke(reading.dominant == nil ? Color.gray : Color.green, lineWidth: 2)
        .overlay(alignment: .top) {
          Text(LiveState.caption(for: reading))
            .font(.caption.bold())
            .padding(4)
            .background(.thinMaterial, in: Capsule())
            .fixedSize()
            .alignmentGuide(.top) { $0[.bottom] + 4 }
        }
        .accessibilityElement()
        .accessibilityLabel(LiveState.caption(for: reading))
    }

    private func frame(of reading: EmotionReading, in size: CGSize) -> CGRect? {
      let projection = ViewProjection(
        image: reading.imageSize, viewWidth: size.width, viewHeight: size.height,
        mode: contentMode, mirrored: mirrored)
      return projection.project(reading.boundingBox).map {
        CGRect(x: $0.x, y: $0.y, width: $0.width, height: $0.height)
      }
    }
  }
#endif
