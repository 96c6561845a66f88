@_exported import AVFoundation
import SwiftUI

public struct VideoPlayer: StubPrimitive {
  public let stubChildren: [any View]
  public init(player: AVPlayer?, @ViewBuilder videoOverlay: () -> some View) {
    stubChildren = [videoOverlay()]
  }
}
