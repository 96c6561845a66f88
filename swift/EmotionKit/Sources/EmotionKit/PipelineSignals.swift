/// What happens around a pipeline, handed to it in the order it happened.
///
/// Notifications arrive on any thread. A task for each could overtake another, and "interrupted"
/// after "resumed" would stay for ever.
final class PipelineSignals: Sendable {
  enum Signal: Sendable {
    case temperature(ThermalLevel)
    case cameraPressure(ThermalLevel)
    case interruption(InterruptionReason?)
    case background(Bool)
    case fallback(String)
  }

  private let continuation: AsyncStream<Signal>.Continuation

  /// - Parameter handle: called with one signal after another.
  init(_ handle: @escaping @Sendable (Signal) async -> Void) {
    let (signals, continuation) = AsyncStream.makeStream(of: Signal.self)
    self.continuation = continuation
    Task {
      for await signal in signals { await handle(signal) }
    }
  }

  deinit { continuation.finish() }

  func send(_ signal: Signal) {
    continuation.yield(signal)
  }
}

extension PipelineSignals {
  /// Signals for a pipeline, which is not retained.
  convenience init<D, C>(to pipeline: EmotionPipeline<D, C>) {
    let heat = HeatSources()
    self.init { [weak pipeline] signal in
      switch signal {
      case .temperature(let level):
        await pipeline?.setThermalLevel(heat.update(device: level))
      case .cameraPressure(let level):
        await pipeline?.setThermalLevel(heat.update(camera: level))
      case .interruption(let reason): await pipeline?.setInterruption(reason)
      case .background(let inBackground): await pipeline?.setInBackground(inBackground)
      case .fallback(let reason): await pipeline?.reportFallback(reason: reason)
      }
    }
  }
}

/// The device and its camera are measured apart; the hotter one counts.
///
/// `@unchecked Sendable`: used by the one task of ``PipelineSignals``.
private final class HeatSources: @unchecked Sendable {
  private var device = ThermalLevel.nominal
  private var camera = ThermalLevel.nominal

  func update(device level: ThermalLevel) -> ThermalLevel {
    device = level
    return max(device, camera)
  }

  func update(camera level: ThermalLevel) -> ThermalLevel {
    camera = level
    return max(device, camera)
  }
}
