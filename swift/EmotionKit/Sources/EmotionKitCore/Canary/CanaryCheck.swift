import Foundation

/// Finds the first compute unit that answers a model's canary rightly.
package struct CanaryCheck: Sendable {
  /// What an opened model says it runs on.
  package struct State: Sendable {
    /// What is in use.
    package let active: ComputeUnits
    /// Why that is not what it was opened for.
    package let reason: String?

    package init(active: ComputeUnits, reason: String?) {
      self.active = active
      self.reason = reason
    }
  }

  /// How a model is opened and asked.
  package struct Handlers<Engine: Sendable>: Sendable {
    let open: @Sendable (ComputeUnits) async throws -> Engine
    let state: @Sendable (Engine) async throws -> State
    let ask: @Sendable (Engine, Canary.Face) async throws -> EmotionDistribution

    package init(
      open: @escaping @Sendable (ComputeUnits) async throws -> Engine,
      state: @escaping @Sendable (Engine) async throws -> State,
      ask: @escaping @Sendable (Engine, Canary.Face) async throws -> EmotionDistribution
    ) {
      self.open = open
      self.state = state
      self.ask = ask
    }
  }

  /// What is asked.
  package let canary: Canary
  private let model: String
  private let digest: String
  private let memory: CanaryMemory

  /// - Parameters:
  ///   - model: the model's digest.
  ///   - digest: of the `canary.json`.
  package init(canary: Canary, model: String, digest: String, memory: CanaryMemory) {
    self.canary = canary
    self.model = model
    self.digest = digest
    self.memory = memory
  }

  /// Opens the model on one unit after another until one passes.
  ///
  /// What has been found out before on this device is believed, except that nothing is left: the
  /// last unit is asked again. Loading the model and its first prediction are no verdict on a
  /// unit; what they do wrong is not remembered.
  ///
  /// - Returns: the opened model, which has made a prediction, and how it was chosen.
  /// - Throws: ``EmotionKitError/canaryFailed(_:)``, or what opening and asking the last unit throw.
  package func run<Engine>(
    _ candidates: [ComputeUnits], policy: CanaryPolicy, _ handlers: Handlers<Engine>
  ) async throws -> (engine: Engine, report: CanaryReport) {
    var verdicts: [CanaryReport.Verdict] = []
    var opened: Engine?
    for units in candidates {
      let isLast = units == candidates.last
      let earlier = memory.verdict(on: units, model: model, canary: digest)
      if let earlier, !earlier.passed, !isLast {
        verdicts.append(earlier)
        continue
      }
      // The one before goes first: two would need twice the memory.
      opened = nil
      let engine = try await handlers.open(units)
      let verdict = try await verdict(on: units, earlier, engine, handlers, isLast: isLast)
      verdicts.append(verdict)
      if verdict.passed { return (engine, report(verdicts, chosen: units)) }
      opened = engine
    }
    let least = verdicts.min { Self.wrongness($0) < Self.wrongness($1) }
    guard policy == .reported, let least, let last = candidates.last else {
      throw EmotionKitError.canaryFailed(
        report(verdicts, chosen: least?.units ?? candidates.last ?? .cpuOnly))
    }
    if let opened, least.units == last {
      return (opened, report(verdicts, chosen: least.units))
    }
    opened = nil
    return (try await handlers.open(least.units), report(verdicts, chosen: least.units))
  }

  private func verdict<Engine>(
    on units: ComputeUnits, _ earlier: CanaryReport.Verdict?, _ engine: Engine,
    _ handlers: Handlers<Engine>, isLast: Bool
  ) async throws -> CanaryReport.Verdict {
    // One that passed before only has to warm up.
    let asked = earlier?.passed == true ? Array(canary.faces.prefix(1)) : canary.faces
    var answers: [EmotionDistribution?] = []
    let clock = ContinuousClock()
    let start = clock.now
    var failure: String?
    do {
      for face in asked {
        answers.append(try await answer(engine, face, handlers))
      }
    } catch let error where !(isLast || error is CancellationError) {
      failure = error.localizedDescription
    }
    let milliseconds = start.duration(to: clock.now).inSeconds * 1000
    let state = try await handlers.state(engine)
    if failure == nil, state.active != units {
      failure = state.reason ?? "the model runs on \(state.active)"
    }
    if let failure {
      return CanaryReport.Verdict(
        units: units, passed: false, reason: failure, maximumDifference: nil,
        milliseconds: milliseconds)
    }
    if let earlier, earlier.passed { return earlier }
    let judgement = canary.judge(answers)
    let verdict = CanaryReport.Verdict(
      units: units, passed: judgement.fault == nil, reason: judgement.fault,
      maximumDifference: judgement.maximumDifference, milliseconds: milliseconds)
    memory.remember(verdict, model: model, canary: digest)
    return verdict
  }

  /// Nil where the network's numbers are no probabilities, which is an answer, too.
  private func answer<Engine>(
    _ engine: Engine, _ face: Canary.Face, _ handlers: Handlers<Engine>
  ) async throws -> EmotionDistribution? {
    do {
      return try await handlers.ask(engine, face)
    } catch EmotionKitError.invalidProbabilities {
      return nil
    }
  }

  private static func wrongness(_ verdict: CanaryReport.Verdict) -> Double {
    verdict.maximumDifference ?? .infinity
  }

  private func report(
    _ verdicts: [CanaryReport.Verdict], chosen: ComputeUnits
  ) -> CanaryReport {
    CanaryReport(
      model: model, system: memory.system, device: memory.device, chosen: chosen,
      verdicts: verdicts)
  }
}
