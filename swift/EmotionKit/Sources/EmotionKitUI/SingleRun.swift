/// One run at a time: a newer run ends the one before, and waits until that has stopped its source.
///
/// `View.task(id:)` cancels the old task and starts the new one at once, while the old camera is still
/// stopping, which takes some 100 ms; what the old run does last must not be done to the new one.
@MainActor
final class SingleRun {
  private var latest: Task<Void, Never>?

  /// Runs `work` after the run before, unless the surrounding task is cancelled by then.
  func run(_ work: @escaping @MainActor () async -> Void) async {
    let before = latest
    before?.cancel()
    let run = Task {
      await before?.value
      if !Task.isCancelled { await work() }
    }
    latest = run
    await withTaskCancellationHandler {
      await run.value
    } onCancel: {
      run.cancel()
    }
  }
}
