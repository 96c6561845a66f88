import EmotionKitUI
import PhotosUI
import SwiftUI
import UIKit

/// Picks a photo and shows every face in it.
struct PhotoScreen: View {
  @State private var item: PhotosPickerItem?
  @State private var result = PhotoResult.nothing

  var body: some View {
    NavigationStack {
      VStack(spacing: 16) {
        PhotosPicker(selection: $item, matching: .images) {
          Label("Choose a photo", systemImage: "photo.on.rectangle")
        }
        .buttonStyle(.borderedProminent)
        PhotoResultView(result: result)
        Spacer()
      }
      .padding(16)
      .navigationTitle("Photo")
    }
    .task(id: item) { await analyze() }
  }

  private func analyze() async {
    guard let item else { return }
    result = .working
    do {
      guard let data = try await item.loadTransferable(type: Data.self),
        let image = UIImage(data: data)
      else {
        throw EmotionKitError.unreadableImage(reason: "the photo library gave no picture")
      }
      let analyzer = try await StillImageAnalyzer()
      result = .done(image, try await analyzer.analyze(imageData: data))
    } catch is CancellationError {
      // Another photo was chosen.
    } catch {
      result = .failed(error.localizedDescription)
    }
  }
}

/// What there is to show about a photo.
enum PhotoResult {
  case nothing
  case working
  case done(UIImage, [EmotionReading])
  case failed(String)
}

struct PhotoResultView: View {
  let result: PhotoResult

  var body: some View {
    switch result {
    case .nothing:
      Text("The photo stays on this device.")
        .foregroundStyle(.secondary)
    case .working:
      ProgressView()
    case .done(let image, let readings):
      Image(uiImage: image)
        .resizable()
        .scaledToFit()
        // UIImage has applied the orientation, and so has EmotionKit: the boxes fit.
        .overlay { EmotionOverlay(readings: readings, contentMode: .fit) }
      if let largest = readings.first {
        ProbabilityBars(probabilities: largest.probabilities, dominant: largest.dominant)
      } else {
        Text("No face was found.")
      }
    case .failed(let message):
      Text(message)
    }
  }
}

struct PhotoScreenPreviews: PreviewProvider {
  static var previews: some View {
    PhotoResultView(result: .failed("The image cannot be read."))
      .previewDisplayName("Failed")
    ProbabilityBars(probabilities: .uniform)
      .padding(16)
      .previewDisplayName("Bars")
  }
}
