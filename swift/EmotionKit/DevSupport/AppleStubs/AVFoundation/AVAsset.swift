import Foundation

public struct AVAsyncProperty<Root, Value>: Sendable {}

extension AVAsyncProperty where Root == AVAssetTrack, Value == CGAffineTransform {
  public static var preferredTransform: AVAsyncProperty<AVAssetTrack, CGAffineTransform> { .init() }
}

public class AVURLAsset: NSObject {
  let url: URL
  public init(url URL: URL, options: [String: Any]? = nil) { url = URL }

  public func loadTracks(withMediaType mediaType: AVMediaType) async throws -> [AVAssetTrack] {
    StubVideo.script.hasVideo ? [AVAssetTrack()] : []
  }
}

public class AVAssetTrack: NSObject {
  public func load<Value>(_ property: AVAsyncProperty<AVAssetTrack, Value>) async throws -> Value {
    guard let transform = StubVideo.script.transform as? Value else {
      throw StubVideo.Failure(message: "the stub knows the transform only")
    }
    return transform
  }
}

public class AVAssetReaderOutput: NSObject {
  public var alwaysCopiesSampleData = true
  fileprivate var delivered = 0
  public func copyNextSampleBuffer() -> CMSampleBuffer? {
    let script = StubVideo.script
    guard delivered < script.times.count else { return nil }
    defer { delivered += 1 }
    StubVideo.recordDecode()
    // Every tenth sample is a mark without a picture.
    var buffer: CVPixelBuffer?
    if delivered % 10 != 9 {
      _ = CVPixelBufferCreate(nil, 1920, 1080, 0, nil, &buffer)
    }
    return CMSampleBuffer(stubImage: buffer, seconds: script.times[delivered])
  }
}

public class AVAssetReaderTrackOutput: AVAssetReaderOutput {
  public init(track: AVAssetTrack, outputSettings: [String: Any]?) {}
}

public class AVAssetReader: NSObject {
  public enum Status: Int, Sendable { case unknown, reading, completed, failed, cancelled }
  public private(set) var status = Status.unknown
  public var error: (any Error)? {
    StubVideo.script.failure.map { StubVideo.Failure(message: $0) }
  }

  public init(asset: AVURLAsset) throws {
    guard FileManager.default.fileExists(atPath: asset.url.path) else {
      throw StubVideo.Failure(message: "no such file")
    }
  }
  public func canAdd(_ output: AVAssetReaderOutput) -> Bool { StubVideo.script.canDecode }
  public func add(_ output: AVAssetReaderOutput) {}
  public func startReading() -> Bool {
    status = StubVideo.script.failure == nil ? .reading : .failed
    return StubVideo.script.starts
  }
  public func cancelReading() { status = .cancelled }
}

/// A video file that tests write by hand.
public enum StubVideo {
  public struct Failure: LocalizedError, Sendable {
    let message: String
    public var errorDescription: String? { message }
  }

  public struct Script: Sendable {
    public var hasVideo = true
    public var canDecode = true
    public var starts = true
    /// Reported when the samples are used up.
    public var failure: String?
    /// A phone held upright.
    public var transform = CGAffineTransform(a: 0, b: 1, c: -1, d: 0, tx: 1080, ty: 0)
    public var times: [Double] = []
    public init() {}
  }

  private static let lock = NSLock()
  nonisolated(unsafe) private static var current = Script()
  nonisolated(unsafe) private static var decodes = 0

  public static var script: Script { lock.withLock { current } }
  public static var decoded: Int { lock.withLock { decodes } }

  public static func reset(_ script: Script) {
    lock.withLock {
      current = script
      decodes = 0
    }
  }

  static func recordDecode() { lock.withLock { decodes += 1 } }
}

@MainActor public class AVPlayer: NSObject {
  public init(url: URL) {}
  public func currentTime() -> CMTime { CMTime(seconds: 0, preferredTimescale: 600) }
  public func play() {}
  public func pause() {}
}
