#if canImport(SwiftUI) && canImport(Vision) && os(iOS)
  import AVFoundation
  import EmotionKit
  import SwiftUI
  import UIKit

  /// Shows what the camera sees, filling its frame.
  struct CameraPreviewView: UIViewRepresentable {
    let preview: CameraPreview

    func makeUIView(context: Context) -> PreviewLayerView {
      let view = PreviewLayerView()
      view.show(preview)
      return view
    }

    func updateUIView(_ view: PreviewLayerView, context: Context) {
      view.show(preview)
    }
  }

  /// A view whose layer is the preview layer, so that it follows the view's size.
  final class PreviewLayerView: UIView {
    private var rotation: NSObject?

    override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }

    private var previewLayer: AVCaptureVideoPreviewLayer? { layer as? AVCaptureVideoPreviewLayer }

    func show(_ preview: CameraPreview) {
      guard let previewLayer, previewLayer.session !== preview.session else { return }
      previewLayer.session = preview.session
      previewLayer.videoGravity = .resizeAspectFill
      if let connection = previewLayer.connection, connection.isVideoMirroringSupported {
        connection.automaticallyAdjustsVideoMirroring = false
        connection.isVideoMirrored = preview.isMirrored
      }
      if #available(iOS 17.0, *) {
        rotation = AVCaptureDevice.RotationCoordinator(
          device: preview.device, previewLayer: previewLayer)
      }
    }

    /// Turning the device changes the layout, which is when the preview has to turn too.
    override func layoutSubviews() {
      super.layoutSubviews()
      guard let connection = previewLayer?.connection else { return }
      if #available(iOS 17.0, *) {
        guard let rotation = rotation as? AVCaptureDevice.RotationCoordinator else { return }
        let angle = rotation.videoRotationAngleForHorizonLevelPreview
        if connection.isVideoRotationAngleSupported(angle) { connection.videoRotationAngle = angle }
      } else if connection.isVideoOrientationSupported {
        switch window?.windowScene?.interfaceOrientation {
        case .landscapeLeft: connection.videoOrientation = .landscapeLeft
        case .landscapeRight: connection.videoOrientation = .landscapeRight
        case .portraitUpsideDown: connection.videoOrientation = .portraitUpsideDown
        default: connection.videoOrientation = .portrait
        }
      }
    }
  }
#elseif canImport(SwiftUI) && canImport(Vision) && os(macOS)
  import AVFoundation
  import AppKit
  import EmotionKit
  import SwiftUI

  /// Shows what the camera sees, filling its frame.
  struct CameraPreviewView: NSViewRepresentable {
    let preview: CameraPreview

    func makeNSView(context: Context) -> NSView {
      let layer = AVCaptureVideoPreviewLayer(session: preview.session)
      layer.videoGravity = .resizeAspectFill
      if let connection = layer.connection, connection.isVideoMirroringSupported {
        connection.automaticallyAdjustsVideoMirroring = false
        connection.isVideoMirrored = preview.isMirrored
      }
      let view = NSView()
      // A layer-hosting view: set the layer before asking for one.
      view.layer = layer
      view.wantsLayer = true
      return view
    }

    func updateNSView(_ view: NSView, context: Context) {}
  }
#endif
