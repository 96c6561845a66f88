import Foundation
import Testing

@testable import EmotionKitCore

@Suite(.timeLimit(.minutes(1))) struct FileLockTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test func oneAtATime() async throws {
    let url = folder.url.appendingPathComponent("lock")
    let inside = Recorder<Int>()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<5 {
        group.addTask {
          try await FileLock.holding(url, pause: .milliseconds(1)) {
            inside.add(1)
            #expect(inside.values.reduce(0, +) == 1)
            try await Task.sleep(for: .milliseconds(2))
            inside.add(-1)
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(inside.values.count == 10)
  }

  @Test func waitingCanBeCancelled() async throws {
    let url = folder.url.appendingPathComponent("lock")
    try await FileLock.holding(url) {
      let waiting = Task { try await FileLock.holding(url, pause: .seconds(60)) {} }
      waiting.cancel()
      await #expect(throws: CancellationError.self) { try await waiting.value }
    }
  }

  @Test func aFolderThatIsNotThereIsNamed() async {
    let url = folder.url.appendingPathComponent("missing/lock")
    await #expect(
      throws: EmotionKitError.storageFailed(url, reason: "No such file or directory")
    ) { try await FileLock.holding(url) {} }
  }
}
