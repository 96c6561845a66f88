/// Tells the pipeline the time; a value, so that a test can pass its own.
package struct PipelineClock: Sendable {
  private let read: @Sendable () -> Duration

  /// Counts from now on any clock that measures in `Duration`.
  package init<C: Clock>(_ clock: C = ContinuousClock()) where C.Duration == Duration {
    let origin = clock.now
    read = { origin.duration(to: clock.now) }
  }

  /// The time since this value was made.
  package var now: Duration { read() }
}
