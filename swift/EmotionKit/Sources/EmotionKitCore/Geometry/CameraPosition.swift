/// Which way the camera looks.
public enum CameraPosition: String, CaseIterable, Hashable, Sendable {
  /// At the person holding the device.
  case front
  /// Away from the person holding the device.
  case back
}
