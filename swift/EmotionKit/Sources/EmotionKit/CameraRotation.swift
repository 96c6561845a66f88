import Foundation

/// By how much the camera's picture is turned: for analysis, where faces have to be upright, and on
/// screen, where the app's window decides.
///
/// The two differ when a window keeps its orientation while the device is turned. The camera's
/// queue writes one, the preview the other, and the overlay reads both.
package final class CameraRotation: @unchecked Sendable {
  // All state is read and written under the lock.
  private let lock = NSLock()
  private var analysed = 0
  private var shown: Int?

  package init() {}

  /// Quarter turns clockwise from the sensor to the analysed image.
  package func setAnalysed(quarterTurns: Int) {
    lock.withLock { analysed = quarterTurns }
  }

  /// Quarter turns clockwise from the sensor to the preview.
  package func setShown(quarterTurns: Int) {
    lock.withLock { shown = quarterTurns }
  }

  /// Quarter turns clockwise from the analysed image to the preview, for ``ViewProjection``.
  ///
  /// - Parameter mirrored: both are mirror images, in which turning goes the other way.
  package func fromAnalysedToShown(mirrored: Bool) -> Int {
    lock.withLock {
      let difference = (shown ?? analysed) - analysed
      return mirrored ? -difference : difference
    }
  }
}
