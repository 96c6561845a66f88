/// Lets through as many frames a second as wanted and drops the rest.
///
/// The gate keeps a timetable rather than a pause after each frame: at 30 frames a second and a
/// rate of 12 it lets through 12, not 10.
package struct FrameGate: Sendable {
  /// Frames a second; zero or less closes the gate. A change takes effect with the next frame.
  package var rate: Double

  private var lastAdmitted: Duration?
  private var due: Duration = .zero

  /// Creates an open gate.
  package init(rate: Double) {
    self.rate = rate
  }

  /// Decides about a frame taken at `time`.
  ///
  /// A time before the last admitted frame means that the camera was started again, and is let
  /// through.
  ///
  /// - Complexity: O(1).
  package mutating func admit(at time: Duration) -> Bool {
    guard rate > 0 else { return false }
    // A Duration cannot hold the interval of an absurdly low rate; a day is as good as never.
    let interval = Duration.seconds(min(1 / rate, 86_400))
    guard let lastAdmitted, time >= lastAdmitted else {
      lastAdmitted = time
      due = time + interval
      return true
    }
    // A raised rate must not wait for an appointment made at the lower one.
    guard time >= min(due, lastAdmitted + interval) else { return false }
    due = due + interval > time ? due + interval : time + interval
    self.lastAdmitted = time
    return true
  }
}
