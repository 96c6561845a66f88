#if canImport(Vision) && !os(visionOS) && !os(tvOS) && !os(watchOS)
  import AVFoundation
  import CoreMedia
  import Foundation
  import ImageIO

  /// What a preview layer shows. It only displays the session and never changes it.
  package struct CameraPreview: @unchecked Sendable {
    package let session: AVCaptureSession
    package let device: AVCaptureDevice
    package let position: CameraPosition
    package let rotation: CameraRotation

    /// A person expects to see themselves as in a mirror, and others as they are.
    package var isMirrored: Bool { position == .front }
  }

  /// The camera: frames with their orientation, interruptions and pressure.
  ///
  /// `@unchecked Sendable`: everything mutable is touched on `queue` alone, which is also where
  /// AVFoundation delivers frames.
  final class CameraSource: NSObject, @unchecked Sendable {
    /// What it tells.
    struct Handlers: Sendable {
      var frame: @Sendable (EmotionFrame, Duration) -> Void
      /// Nil when frames arrive again.
      var interruption: @Sendable (InterruptionReason?) -> Void
      var pressure: @Sendable (ThermalLevel) -> Void
      /// The camera ended and does not come back by itself.
      var failure: @Sendable (EmotionKitError) -> Void
    }

    let position: CameraPosition
    private let frameRate: Double?
    private let session = AVCaptureSession()
    private let handlers: Handlers
    private let queue = DispatchQueue(
      label: "EmotionKit.Camera", qos: .userInitiated, autoreleaseFrequency: .workItem)
    private let output = AVCaptureVideoDataOutput()
    private let rotation = CameraRotation()
    private var device: AVCaptureDevice?
    private var coordinator: NSObject?
    private var deviceOrientation = DeviceOrientation.portrait
    private var pressure = ThermalLevel.nominal
    private var shouldRun = false
    private var tokens: [any NSObjectProtocol] = []

    /// - Parameter frameRate: frames a second to capture at most; nil for the camera's own rate.
    init(position: CameraPosition, frameRate: Double?, handlers: Handlers) {
      self.position = position
      self.frameRate = frameRate
      self.handlers = handlers
    }

    deinit {
      for token in tokens { NotificationCenter.default.removeObserver(token) }
    }

    /// Asks for permission if needed, configures and starts.
    ///
    /// - Returns: what a preview layer needs.
    /// - Throws: ``EmotionKitError/cameraUnauthorized`` or
    ///   ``EmotionKitError/cameraUnavailable(reason:)``.
    func start() async throws -> CameraPreview {
      switch AVCaptureDevice.authorizationStatus(for: .video) {
      case .authorized: break
      case .notDetermined:
        guard await AVCaptureDevice.requestAccess(for: .video) else {
          throw EmotionKitError.cameraUnauthorized
        }
      default: throw EmotionKitError.cameraUnauthorized
      }
      return try await onQueue { [self] in
        let device = try configuredDevice()
        shouldRun = true
        // Blocks until the hardware runs, which is why it must not be on the main thread.
        session.startRunning()
        guard session.isRunning || isInterrupted else {
          shouldRun = false
          throw EmotionKitError.cameraUnavailable(reason: "it did not start")
        }
        return CameraPreview(
          session: session, device: device, position: position, rotation: rotation)
      }
    }

    /// Stops; no frame is delivered after it returns.
    func stop() async throws {
      try await onQueue { [self] in
        shouldRun = false
        session.stopRunning()
      }
    }

    /// An interrupted session starts by itself when it may; that is no failure.
    private var isInterrupted: Bool {
      #if os(macOS)
        return false
      #else
        return session.isInterrupted
      #endif
    }

    /// Tells how the device is held. Needed before iOS 17 only.
    func setDeviceOrientation(_ orientation: DeviceOrientation) {
      queue.async { [self] in deviceOrientation = orientation }
    }

    private func onQueue<Output: Sendable>(
      _ work: @escaping @Sendable () throws -> Output
    ) async throws -> Output {
      try await withCheckedThrowingContinuation { done in
        queue.async { done.resume(with: Result { try work() }) }
      }
    }

    private func configuredDevice() throws -> AVCaptureDevice {
      if let device { return device }
      let wanted: AVCaptureDevice.Position = position == .front ? .front : .back
      #if os(macOS) || targetEnvironment(macCatalyst)
        // A Mac's cameras need not have a position.
        let fallback = AVCaptureDevice.default(for: .video)
      #else
        let fallback: AVCaptureDevice? = nil
      #endif
      let camera =
        AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: wanted) ?? fallback
      guard let camera else {
        throw EmotionKitError.cameraUnavailable(reason: "there is no \(position) camera")
      }
      let input: AVCaptureDeviceInput
      do {
        input = try AVCaptureDeviceInput(device: camera)
      } catch {
        throw EmotionKitError.cameraUnavailable(reason: error.localizedDescription)
      }

      session.beginConfiguration()
      defer { session.commitConfiguration() }
      guard session.canAddInput(input) else {
        throw EmotionKitError.cameraUnavailable(reason: "the session refuses it")
      }
      session.addInput(input)
      guard session.canAddOutput(output) else {
        session.removeInput(input)
        throw EmotionKitError.cameraUnavailable(reason: "the session refuses its frames")
      }
      output.alwaysDiscardsLateVideoFrames = true
      output.setSampleBufferDelegate(self, queue: queue)
      session.addOutput(output)
      // Faces are reduced to a few dozen pixels; more than this only makes heat. What can be set
      // depends on the input.
      if session.canSetSessionPreset(.hd1280x720) { session.sessionPreset = .hd1280x720 }
      #if !os(macOS)
        // An iPad may show the app beside another one.
        if session.isMultitaskingCameraAccessSupported {
          session.isMultitaskingCameraAccessEnabled = true
        }
      #endif
      slowDown(camera)
      // The sensor's own format: no conversion, and Vision reads it. Not every Mac's camera has it,
      // and asking for what it has not ends the app; which it has is known once it is connected.
      let format = kCVPixelFormatType_420YpCbCr8BiPlanarFullRange
      if output.availableVideoPixelFormatTypes.contains(format) {
        output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: Int(format)]
      }
      if #available(iOS 17.0, macOS 14.0, *) {
        coordinator = AVCaptureDevice.RotationCoordinator(device: camera, previewLayer: nil)
      }
      if let connection = output.connection(with: .video) { setMirroring(of: connection) }
      observeInterruptions()
      device = camera
      return camera
    }

    /// Captures no faster than is useful: every frame beyond it is heat. The preset has to be set
    /// before, since it chooses the format with its rates.
    private func slowDown(_ camera: AVCaptureDevice) {
      guard let rate = frameRate, rate >= 1,
        camera.activeFormat.videoSupportedFrameRateRanges.contains(where: {
          $0.minFrameRate <= rate && rate <= $0.maxFrameRate
        }),
        (try? camera.lockForConfiguration()) != nil
      else { return }
      defer { camera.unlockForConfiguration() }
      camera.activeVideoMinFrameDuration = CMTime(value: 1, timescale: CMTimeScale(rate.rounded()))
    }

    /// From iOS 17 the connection turns and mirrors the buffers. Before, they stay as the sensor
    /// delivers them and Vision does both.
    private func setMirroring(of connection: AVCaptureConnection) {
      guard connection.isVideoMirroringSupported else { return }
      connection.automaticallyAdjustsVideoMirroring = false
      connection.isVideoMirrored = position == .front && coordinator != nil
    }
  }

  // MARK: Interruptions

  extension CameraSource {
    private func observeInterruptions() {
      let center = NotificationCenter.default
      let report = handlers.interruption
      tokens = [
        center.addObserver(
          forName: AVCaptureSession.wasInterruptedNotification, object: session, queue: nil
        ) { report(Self.reason($0)) },
        center.addObserver(
          forName: AVCaptureSession.interruptionEndedNotification, object: session, queue: nil
        ) { _ in report(nil) },
        center.addObserver(
          forName: AVCaptureSession.runtimeErrorNotification, object: session, queue: nil
        ) { [weak self] notification in
          let error = notification.userInfo?[AVCaptureSessionErrorKey] as? AVError
          self?.recover(from: error)
        },
      ]
    }

    /// When the system's media server died it took the session with it, and only the app can start it
    /// again. Anything else would fail again, for ever.
    private func recover(from error: AVError?) {
      let reason = error?.localizedDescription ?? "the session ended"
      let mayRestart = error?.code == .mediaServicesWereReset
      queue.async { [self] in
        guard shouldRun else { return }
        if mayRestart {
          handlers.interruption(.other)
          session.startRunning()
          if session.isRunning { return handlers.interruption(nil) }
        }
        shouldRun = false
        handlers.failure(.cameraUnavailable(reason: reason))
      }
    }

    private static func reason(_ notification: Notification) -> InterruptionReason {
      #if os(macOS)
        return .other
      #else
        let value = notification.userInfo?[AVCaptureSessionInterruptionReasonKey] as? NSNumber
        switch value.flatMap({ AVCaptureSession.InterruptionReason(rawValue: $0.intValue) }) {
        case .videoDeviceNotAvailableInBackground: return .background
        case .videoDeviceInUseByAnotherClient: return .inUseByAnotherClient
        case .videoDeviceNotAvailableWithMultipleForegroundApps: return .multipleForegroundApps
        case .videoDeviceNotAvailableDueToSystemPressure: return .systemPressure
        default: return .other
        }
      #endif
    }
  }

  // MARK: Frames

  extension CameraSource: AVCaptureVideoDataOutputSampleBufferDelegate {
    /// AVFoundation's callback, on `queue`.
    func captureOutput(
      _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer,
      from connection: AVCaptureConnection
    ) {
      reportPressure()
      guard let buffer = CMSampleBufferGetImageBuffer(sampleBuffer),
        let orientation = orientation(of: connection)
      else { return }
      let time = CMTimeGetSeconds(CMSampleBufferGetPresentationTimeStamp(sampleBuffer))
      guard time.isFinite else { return }
      let frame = EmotionFrame(
        pixelBuffer: buffer, orientation: CGImagePropertyOrientation(orientation))
      handlers.frame(frame, .seconds(time))
    }

    /// How the buffer lies, or nil for the one buffer that was under way when the device turned.
    private func orientation(of connection: AVCaptureConnection) -> ImageOrientation? {
      var wanted = 0
      var done = 0
      if #available(iOS 17.0, macOS 14.0, *),
        let coordinator = coordinator as? AVCaptureDevice.RotationCoordinator
      {
        let angle = coordinator.videoRotationAngleForHorizonLevelCapture
        if connection.videoRotationAngle != angle, connection.isVideoRotationAngleSupported(angle) {
          connection.videoRotationAngle = angle
          return nil
        }
        wanted = Self.quarterTurns(angle)
        done = Self.quarterTurns(connection.videoRotationAngle)
      } else {
        #if !os(macOS)
          wanted = OrientationMapper.quarterTurns(device: deviceOrientation, camera: position)
        #endif
      }
      rotation.setAnalysed(quarterTurns: wanted)
      return OrientationMapper.remaining(
        wanted: wanted, done: done, mirrored: position == .front,
        alreadyMirrored: connection.isVideoMirrored)
    }

    private static func quarterTurns(_ angle: CGFloat) -> Int {
      Int((Double(angle) / 90).rounded())
    }

    /// Looked up with every frame rather than observed: it costs nothing and needs no observer.
    private func reportPressure() {
      #if !os(macOS)
        guard let device else { return }
        let level: ThermalLevel =
          switch device.systemPressureState.level {
          case .nominal: .nominal
          case .fair: .fair
          case .serious: .serious
          case .critical, .shutdown: .critical
          default: .serious
          }
        guard level != pressure else { return }
        pressure = level
        handlers.pressure(level)
      #endif
    }
  }
#endif
