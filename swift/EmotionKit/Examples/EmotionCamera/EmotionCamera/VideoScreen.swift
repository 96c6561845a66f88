import AVKit
import EmotionKitUI
import SwiftUI
import UniformTypeIdentifiers

/// Picks a video file, analyses it as fast as the device allows, and plays it with its faces.
struct VideoScreen: View {
  @State private var choosing = false
  @State private var url: URL?
  @State private var player: AVPlayer?
  @State private var timeline = VideoTimeline()
  @State private var message: String?

  var body: some View {
    NavigationStack {
      VStack(spacing: 16) {
        Button {
          choosing = true
        } label: {
          Label("Choose a video", systemImage: "film")
        }
        .buttonStyle(.borderedProminent)
        if let player { picture(player) }
        if let message { Text(message) }
        VideoTimelineView(timeline: timeline)
      }
      .padding(16)
      .navigationTitle("Video")
    }
    .fileImporter(isPresented: $choosing, allowedContentTypes: [.movie]) { result in
      switch result {
      case .success(let chosen): url = chosen
      case .failure(let error): message = error.localizedDescription
      }
    }
    .task(id: url) { await analyze() }
  }

  private func picture(_ player: AVPlayer) -> some View {
    VideoPlayer(player: player) {
      TimelineView(.periodic(from: .now, by: 0.1)) { _ in
        EmotionOverlay(
          readings: timeline.readings(at: .seconds(CMTimeGetSeconds(player.currentTime()))),
          contentMode: .fit)
      }
    }
    .aspectRatio(contentMode: .fit)
  }

  private func analyze() async {
    guard let url else { return }
    timeline = VideoTimeline()
    message = nil
    // A file of another app: it may only be read in between.
    let isScoped = url.startAccessingSecurityScopedResource()
    defer { if isScoped { url.stopAccessingSecurityScopedResource() } }
    player = AVPlayer(url: url)
    do {
      let analyzer = try await VideoAnalyzer()
      for try await moment in analyzer.moments(in: url) { timeline.append(moment) }
      message = "\(timeline.moments.count) frames were analysed."
      player?.play()
      // The player reads the file as well, until another one is chosen or the screen is left.
      while !Task.isCancelled { try await Task.sleep(for: .seconds(3600)) }
    } catch is CancellationError {
      player?.pause()
    } catch {
      message = error.localizedDescription
    }
  }
}

/// What is known about a video so far.
struct VideoTimeline {
  /// One line of the list.
  struct Change: Hashable {
    let time: Duration
    let text: String
  }

  private(set) var moments: [RecordedMoment] = []
  private(set) var changes: [Change] = []

  mutating func append(_ moment: RecordedMoment) {
    moments.append(moment)
    for case .changed(let face, _, let emotion, _) in moment.events {
      changes.append(
        Change(time: moment.time, text: "\(face): \(emotion?.rawValue ?? "uncertain")"))
    }
  }

  /// The faces of the last moment before a time, unless that is long ago.
  ///
  /// - Complexity: O(log *n*) in the moments, which are in order.
  func readings(at time: Duration) -> [EmotionReading] {
    var low = 0
    var high = moments.count
    while low < high {
      let middle = (low + high) / 2
      if moments[middle].time <= time { low = middle + 1 } else { high = middle }
    }
    guard low > 0, time - moments[low - 1].time < .milliseconds(500) else { return [] }
    return moments[low - 1].readings
  }
}

struct VideoTimelineView: View {
  let timeline: VideoTimeline

  var body: some View {
    List {
      Section("Changes") {
        ForEach(timeline.changes, id: \.self) { change in
          HStack {
            Text(change.time.formatted(.time(pattern: .minuteSecond)))
              .monospacedDigit()
            Text(change.text)
          }
        }
      }
    }
  }
}

struct VideoScreenPreviews: PreviewProvider {
  static var previews: some View {
    VideoTimelineView(timeline: example)
      .previewDisplayName("Timeline")
  }

  private static var example: VideoTimeline {
    var timeline = VideoTimeline()
    let reading = EmotionReading(
      faceID: FaceID(rawValue: 1), dominant: .surprise, probabilities: .uniform, raw: .uniform,
      boundingBox: UnitRect(x: 0.3, y: 0.3, width: 0.3, height: 0.4),
      imageSize: PixelSize(width: 1920, height: 1080), detectionConfidence: 1,
      timestamp: .seconds(3))
    timeline.append(
      RecordedMoment(
        time: .seconds(3), readings: [reading],
        events: [.changed(reading.faceID, from: nil, to: .surprise, reading: reading)]))
    return timeline
  }
}
