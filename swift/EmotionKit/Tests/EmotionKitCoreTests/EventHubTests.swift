import EmotionKitCore
import Foundation
import Testing

@Suite(.timeLimit(.minutes(1))) struct EventHubTests {
  @Test func aSlowListenerLosesTheOldest() async {
    let hub = EventHub<Int>(bufferSize: 3)
    let stream = hub.stream()
    for number in 0..<10 { hub.send(number) }
    hub.finish()
    var heard: [Int] = []
    for await number in stream { heard.append(number) }
    #expect(heard == [7, 8, 9])
  }

  @Test func listenersLeave() async {
    let hub = EventHub<Int>()
    let task = Task { [stream = hub.stream()] in
      for await _ in stream {}
    }
    #expect(hub.subscriberCount == 1)
    task.cancel()
    await task.value
    while hub.subscriberCount > 0 { await Task.yield() }
    hub.send(1)
  }

  @Test func theBridgePostsChangesOnly() async {
    let center = NotificationCenter()
    let (posted, continuation) = AsyncStream.makeStream(of: EmotionReading.self)
    let token = center.addObserver(forName: .emotionDidChange, object: nil, queue: nil) { note in
      if let reading = note.userInfo?[NotificationBridge.readingKey] as? EmotionReading {
        continuation.yield(reading)
      }
    }
    let reading = EmotionReading(
      faceID: FaceID(rawValue: 1), dominant: .fear, probabilities: .mostly(.fear),
      raw: .mostly(.fear), boundingBox: .full, imageSize: PixelSize(width: 1, height: 1),
      detectionConfidence: 1, timestamp: .zero)
    let hub = EventHub<EmotionEvent>()
    let bridge = NotificationBridge(events: hub.stream(), center: center)
    hub.send(.frame([]))
    hub.send(.changed(reading.faceID, from: nil, to: .fear, reading: reading))
    var iterator = posted.makeAsyncIterator()
    #expect(await iterator.next() == reading)
    withExtendedLifetime((bridge, token)) {}
  }
}
