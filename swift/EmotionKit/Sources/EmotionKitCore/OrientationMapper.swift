/// How the device is held.
public enum DeviceOrientation: String, CaseIterable, Hashable, Sendable {
  /// Upright, home indicator at the bottom.
  case portrait
  /// Upside down.
  case portraitUpsideDown
  /// Turned anticlockwise: the device's top points left (`UIDeviceOrientation.landscapeLeft`).
  case landscapeLeft
  /// Turned clockwise: the device's top points right.
  case landscapeRight
}

/// Which way the camera looks.
public enum CameraPosition: String, CaseIterable, Hashable, Sendable {
  /// At the person holding the device.
  case front
  /// Away from the person holding the device.
  case back
}

/// Tells Vision how an unrotated camera buffer is to be turned.
///
/// For devices whose sensors deliver landscape buffers, as iPhones do. From iOS 17 the camera turns
/// the buffers itself and Vision is given `.up`; some iPads have their front camera on the long
/// edge, which no table of device orientations can know.
public enum OrientationMapper {
  /// The orientation to pass with a buffer.
  ///
  /// - Parameter mirrored: the person should be analysed as in a mirror, which makes face boxes
  ///   match the front camera's preview.
  /// - Complexity: O(1).
  public static func orientation(
    device: DeviceOrientation, camera: CameraPosition, mirrored: Bool
  ) -> ImageOrientation {
    let upright: ImageOrientation =
      switch (device, camera) {
      case (.portrait, _): .right
      case (.portraitUpsideDown, _): .left
      // The two sensors face opposite ways, so their landscape buffers are turned against each
      // other by 180 degrees.
      case (.landscapeLeft, .back), (.landscapeRight, .front): .up
      case (.landscapeRight, .back), (.landscapeLeft, .front): .down
      }
    return mirrored ? upright.mirrored : upright
  }
}
