/// How the device is held.
package enum DeviceOrientation: String, CaseIterable, Hashable, Sendable {
  /// Upright, home indicator at the bottom.
  case portrait
  /// Upside down.
  case portraitUpsideDown
  /// Turned anticlockwise: the device's top points left (`UIDeviceOrientation.landscapeLeft`).
  case landscapeLeft
  /// Turned clockwise: the device's top points right.
  case landscapeRight
}

/// Tells Vision how a camera buffer is to be turned.
///
/// The table is for devices whose sensors deliver landscape buffers, as iPhones do. Some iPads have
/// their front camera on the long edge, which no table of device orientations can know; from iOS 17
/// the camera is asked instead.
package enum OrientationMapper {
  /// The orientation to pass with a buffer.
  ///
  /// - Parameter mirrored: the person should be analysed as in a mirror, which makes face boxes
  ///   match the front camera's preview.
  /// - Complexity: O(1).
  package static func orientation(
    device: DeviceOrientation, camera: CameraPosition, mirrored: Bool
  ) -> ImageOrientation {
    ImageOrientation(
      quarterTurns: quarterTurns(device: device, camera: camera), mirrored: mirrored)
  }

  /// What is left for Vision to do when the camera's connection has turned and mirrored a buffer.
  ///
  /// - Parameters:
  ///   - wanted: quarter turns clockwise from the sensor to upright.
  ///   - done: quarter turns clockwise that the connection has made.
  ///   - mirrored: the upright image is wanted as in a mirror.
  ///   - alreadyMirrored: the connection has mirrored the buffer, after turning it.
  /// - Complexity: O(1).
  package static func remaining(
    wanted: Int, done: Int, mirrored: Bool, alreadyMirrored: Bool
  ) -> ImageOrientation {
    // In a mirror image, turning goes the other way.
    ImageOrientation(
      quarterTurns: alreadyMirrored ? done - wanted : wanted - done,
      mirrored: mirrored != alreadyMirrored)
  }

  /// How often a buffer has to be turned clockwise to be upright, `0...3`.
  ///
  /// - Complexity: O(1).
  package static func quarterTurns(device: DeviceOrientation, camera: CameraPosition) -> Int {
    switch (device, camera) {
    case (.portrait, _): 1
    case (.portraitUpsideDown, _): 3
    // The two sensors face opposite ways, so their landscape buffers are turned against each
    // other by 180 degrees.
    case (.landscapeLeft, .back), (.landscapeRight, .front): 0
    case (.landscapeRight, .back), (.landscapeLeft, .front): 2
    }
  }
}
