@_exported import CoreVideo

public typealias CMTimeScale = Int32

public struct CMTime: Sendable {
  public var seconds: Double
  public init(seconds: Double, preferredTimescale: CMTimeScale) { self.seconds = seconds }
  public init(value: Int64, timescale: CMTimeScale) { seconds = Double(value) / Double(timescale) }
}

public func CMTimeGetSeconds(_ time: CMTime) -> Double { time.seconds }

public class CMSampleBuffer {
  let image: CVImageBuffer?
  let time: CMTime

  /// Stub only.
  public init(stubImage: CVImageBuffer?, seconds: Double) {
    image = stubImage
    time = CMTime(seconds: seconds, preferredTimescale: 600)
  }
}

@available(*, unavailable)
extension CMSampleBuffer: Sendable {}

public func CMSampleBufferGetImageBuffer(_ buffer: CMSampleBuffer) -> CVImageBuffer? {
  buffer.image
}
public func CMSampleBufferGetPresentationTimeStamp(_ buffer: CMSampleBuffer) -> CMTime {
  buffer.time
}
