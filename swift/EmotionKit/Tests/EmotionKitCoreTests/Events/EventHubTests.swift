import EmotionKitCore
import Foundation
import Testing

@Suite(.timeLimit(.minutes(1))) struct EventHubTests {
  @Test func aSlowListenerLosesTheOldest() async {
    let hub = EventHub<Int>()
    let stream = hub.stream(bufferSize: 3)
    let patient = hub.stream()
    for number in 0..<10 { hub.send(number) }
    hub.finish()
    var heard: [Int] = []
    for await number in stream { heard.append(number) }
    #expect(heard == [7, 8, 9])
    var all: [Int] = []
    for await number in patient { all.append(number) }
    #expect(all == Array(0..<10))
  }

  @Test func whoComesLateIsToldWhatHolds() async {
    let hub = EventHub<String>()
    hub.send("hot", on: "heat", holds: true)
    hub.send("hotter", on: "heat", holds: true)
    hub.send("interrupted", on: "camera", holds: true)
    hub.send("gone")
    let late = hub.stream()
    hub.send("cool", on: "heat", holds: false)
    let later = hub.stream()
    hub.finish()
    var heard: [String] = []
    for await text in late { heard.append(text) }
    #expect(heard == ["hotter", "interrupted", "cool"])
    heard = []
    for await text in later { heard.append(text) }
    #expect(heard == ["interrupted"])
  }

  @Test func absurdBufferSizesStillDeliverTheNewest() async {
    let hub = EventHub<Int>()
    let stream = hub.stream(bufferSize: -5)
    hub.send(1)
    hub.send(2)
    hub.finish()
    var heard: [Int] = []
    for await number in stream { heard.append(number) }
    #expect(heard == [2])
  }

  @Test func listenersLeave() async {
    let hub = EventHub<Int>()
    let task = Task { [stream = hub.stream()] in
      for await _ in stream {}
    }
    #expect(hub.subscriberCount == 1)
    task.cancel()
    await task.value
    while !Task.isCancelled, hub.subscriberCount > 0 { await Task.yield() }
    hub.send(1)
  }

  @Test func theBridgePostsChangesArrivalsAndLossesOnly() async {
    let center = NotificationCenter()
    let (posted, continuation) = AsyncStream.makeStream(of: String.self)
    let names: [Notification.Name] = [
      .emotionDidChange, .emotionFaceDidAppear, .emotionFaceWasLost,
    ]
    let tokens = names.map { name in
      center.addObserver(forName: name, object: nil, queue: nil) { note in
        let info = note.userInfo ?? [:]
        let face = info[NotificationBridge.faceKey] as? FaceID
        let reading = info[NotificationBridge.readingKey] as? EmotionReading
        let before = info[NotificationBridge.previousKey] as? Emotion
        continuation.yield(
          [
            name.rawValue.replacingOccurrences(of: "EmotionKit.", with: ""),
            face?.description, before?.rawValue, reading?.dominant?.rawValue,
          ].compactMap { $0 }.joined(separator: ", "))
      }
    }
    let reading = EmotionReading(
      faceID: FaceID(rawValue: 1), dominant: .fear, probabilities: .mostly(.fear),
      raw: .mostly(.fear), boundingBox: .full, imageSize: PixelSize(width: 1, height: 1),
      detectionConfidence: 1, timestamp: .zero)
    let hub = EventHub<EmotionEvent>()
    let bridge = NotificationBridge(events: hub.stream(), center: center)
    hub.send(.faceAppeared(reading.faceID))
    hub.send(.frame([]))
    hub.send(.changed(reading.faceID, from: nil, to: .fear, reading: reading))
    hub.send(.throttled(.serious))
    hub.send(.changed(reading.faceID, from: .anger, to: .fear, reading: reading))
    hub.send(.faceLost(reading.faceID))
    var iterator = posted.makeAsyncIterator()
    var heard: [String] = []
    for _ in 0..<4 { if let text = await iterator.next() { heard.append(text) } }
    #expect(
      heard == [
        "emotionFaceDidAppear, face 1", "emotionDidChange, face 1, fear",
        "emotionDidChange, face 1, anger, fear", "emotionFaceWasLost, face 1",
      ])
    withExtendedLifetime((bridge, tokens)) {}
  }
}
