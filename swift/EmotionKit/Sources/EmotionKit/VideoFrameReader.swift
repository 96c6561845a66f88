#if canImport(Vision)
  import AVFoundation
  import CoreMedia
  import Foundation
  import ImageIO

  /// Decodes a video file, one frame for each call.
  ///
  /// `@unchecked Sendable`: the reader is touched on `queue` alone.
  final class VideoFrameReader: @unchecked Sendable {
    /// A decoded frame and its time since the start of the video.
    struct Frame: Sendable {
      let frame: EmotionFrame
      let time: Duration
    }

    private let queue: VisionQueue
    private let reader: AVAssetReader
    private let output: AVAssetReaderTrackOutput
    private let orientation: CGImagePropertyOrientation

    /// Opens a file and starts decoding.
    ///
    /// - Throws: ``EmotionKitError/unreadableVideo(reason:)``.
    static func open(_ url: URL) async throws -> VideoFrameReader {
      do {
        let asset = AVURLAsset(url: url)
        guard let track = try await asset.loadTracks(withMediaType: .video).first else {
          throw EmotionKitError.unreadableVideo(
            reason: "\(url.lastPathComponent) has no video track")
        }
        let transform = try await track.load(.preferredTransform)
        let orientation = ImageOrientation(
          transformA: Double(transform.a), b: Double(transform.b), c: Double(transform.c),
          d: Double(transform.d))
        return try VideoFrameReader(asset, track, orientation ?? .up)
      } catch let error as EmotionKitError {
        throw error
      } catch is CancellationError {
        throw CancellationError()
      } catch {
        throw EmotionKitError.unreadableVideo(reason: error.localizedDescription)
      }
    }

    private init(
      _ asset: AVURLAsset, _ track: AVAssetTrack, _ orientation: ImageOrientation
    ) throws {
      self.orientation = CGImagePropertyOrientation(orientation)
      queue = VisionQueue()
      reader = try AVAssetReader(asset: asset)
      output = AVAssetReaderTrackOutput(
        track: track,
        outputSettings: [
          kCVPixelBufferPixelFormatTypeKey as String:
            Int(kCVPixelFormatType_420YpCbCr8BiPlanarFullRange)
        ])
      // The frames are only read.
      output.alwaysCopiesSampleData = false
      guard reader.canAdd(output) else {
        throw EmotionKitError.unreadableVideo(reason: "its format cannot be decoded")
      }
      reader.add(output)
      guard reader.startReading() else {
        throw EmotionKitError.unreadableVideo(
          reason: reader.error?.localizedDescription ?? "decoding did not start")
      }
    }

    deinit { reader.cancelReading() }

    /// The next frame, or nil at the end.
    ///
    /// - Throws: ``EmotionKitError/unreadableVideo(reason:)``.
    func next() async throws -> Frame? {
      try await queue.run { [self] in
        while let sample = output.copyNextSampleBuffer() {
          let seconds = CMTimeGetSeconds(CMSampleBufferGetPresentationTimeStamp(sample))
          // Some samples carry no picture, only a mark.
          guard let buffer = CMSampleBufferGetImageBuffer(sample), seconds.isFinite else {
            continue
          }
          return Frame(
            frame: EmotionFrame(pixelBuffer: buffer, orientation: orientation),
            time: .seconds(seconds))
        }
        if reader.status == .failed {
          throw EmotionKitError.unreadableVideo(
            reason: reader.error?.localizedDescription ?? "decoding failed")
        }
        return nil
      }
    }
  }
#endif
