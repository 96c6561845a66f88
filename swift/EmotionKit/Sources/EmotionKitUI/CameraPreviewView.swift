#if canImport(SwiftUI) && canImport(Vision) && canImport(UIKit) && !os(visionOS) && !os(tvOS) && !os(watchOS)
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
    private var preview: CameraPreview?
    private var coordinator: NSObject?
    private var observation: NSObject?

    override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }

    private var previewLayer: AVCaptureVideoPreviewLayer? { layer as? AVCaptureVideoPreviewLayer }

    func show(_ preview: CameraPreview) {
      guard let previewLayer, previewLayer.session !== preview.session else { return }
      self.preview = preview
      previewLayer.session = preview.session
      previewLayer.videoGravity = .resizeAspectFill
      if #available(iOS 17.0, *) {
        let coordinator = AVCaptureDevice.RotationCoordinator(
          device: preview.device, previewLayer: previewLayer)
        self.coordinator = coordinator
        // The window may turn without a new layout, as an iPad's does in a stage.
        observation = coordinator.observe(\.videoRotationAngleForHorizonLevelPreview) {
          @Sendable [weak self] _, _ in
          // It arrives on the main queue, and a later turn would be seen.
          MainActor.assumeIsolated { self?.turn() }
        }
      }
      turn()
    }

    /// Turning the window changes the layout.
    override func layoutSubviews() {
      super.layoutSubviews()
      turn()
    }

    /// There is no connection while the session has no input; a later layout turns it then.
    private func turn() {
      guard let preview, let connection = previewLayer?.connection else { return }
      if connection.isVideoMirroringSupported {
        connection.automaticallyAdjustsVideoMirroring = false
        connection.isVideoMirrored = preview.isMirrored
      }
      if #available(iOS 17.0, *) {
        guard let coordinator = coordinator as? AVCaptureDevice.RotationCoordinator else { return }
        let angle = coordinator.videoRotationAngleForHorizonLevelPreview
        if connection.isVideoRotationAngleSupported(angle) { connection.videoRotationAngle = angle }
        preview.rotation.setShown(
          quarterTurns: Int((Double(connection.videoRotationAngle) / 90).rounded()))
      } else if connection.isVideoOrientationSupported {
        let (shown, held) = Self.orientation(of: window?.windowScene?.interfaceOrientation)
        connection.videoOrientation = shown
        preview.rotation.setShown(
          quarterTurns: OrientationMapper.quarterTurns(device: held, camera: preview.position))
      }
    }

    /// What a window's orientation means for the connection, and how the device is held when the
    /// window is like that. Windows and devices name their landscapes the opposite way.
    private static func orientation(
      of window: UIInterfaceOrientation?
    ) -> (AVCaptureVideoOrientation, DeviceOrientation) {
      switch window {
      case .landscapeLeft: (.landscapeLeft, .landscapeRight)
      case .landscapeRight: (.landscapeRight, .landscapeLeft)
      case .portraitUpsideDown: (.portraitUpsideDown, .portraitUpsideDown)
      default: (.portrait, .portrait)
      }
    }
  }
#elseif canImport(SwiftUI) && canImport(Vision) && canImport(AppKit)
  import AVFoundation
  import AppKit
  import EmotionKit
  import SwiftUI

  /// Shows what the camera sees, filling its frame.
  struct CameraPreviewView: NSViewRepresentable {
    let preview: CameraPreview

    func makeNSView(context: Context) -> NSView {
      let view = NSView()
      // A layer-hosting view: set the layer before asking for one.
      view.layer = AVCaptureVideoPreviewLayer()
      view.wantsLayer = true
      show(in: view)
      return view
    }

    func updateNSView(_ view: NSView, context: Context) {
      show(in: view)
    }

    private func show(in view: NSView) {
      guard let layer = view.layer as? AVCaptureVideoPreviewLayer,
        layer.session !== preview.session
      else { return }
      layer.session = preview.session
      layer.videoGravity = .resizeAspectFill
      if let connection = layer.connection, connection.isVideoMirroringSupported {
        connection.automaticallyAdjustsVideoMirroring = false
        connection.isVideoMirrored = preview.isMirrored
      }
    }
  }
#endif
