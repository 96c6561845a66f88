@_spi(Diagnostics) import EmotionKitCore
import Testing

@Suite struct LatencyTests {
  @Test func percentilesAreNearestRank() throws {
    let summary = try #require(LatencySummary((1...100).map { .milliseconds($0) }.shuffled()))
    #expect(summary.samples == 100)
    #expect(summary.p50 == .milliseconds(50) && summary.p90 == .milliseconds(90))
    #expect(summary.p99 == .milliseconds(99) && summary.maximum == .milliseconds(100))
    let one = try #require(LatencySummary([.seconds(3)]))
    #expect(Set([one.p50, one.p90, one.p99, one.maximum]) == [.seconds(3)])
    #expect(LatencySummary([]) == nil)
  }

  /// The definition, counted out: the smallest measured value that covers the share.
  @Test func percentilesCoverTheirShare() throws {
    var generator = SplitMix64(seed: 25)
    for _ in 0..<300 {
      let values = (0..<generator.integer(in: 1...60)).map { _ in
        Duration.microseconds(generator.integer(in: 0...40))
      }
      let summary = try #require(LatencySummary(values))
      for (percent, value) in [(50, summary.p50), (90, summary.p90), (99, summary.p99)] {
        #expect(values.count { $0 <= value } * 100 >= percent * values.count)
        #expect(values.count { $0 < value } * 100 < percent * values.count)
        #expect(values.contains(value))
      }
    }
  }

  @Test func onlyTheLastFramesAreRemembered() throws {
    var recorder = LatencyRecorder()
    let capacity = LatencyRecorder.capacity
    for frame in 0..<(3 * capacity) {
      recorder.record(.milliseconds(frame), for: .total)
    }
    recorder.record(.seconds(9), for: .waiting)
    let total = try #require(recorder.summaries[.total])
    #expect(total.samples == capacity)
    #expect(total.maximum == .milliseconds(3 * capacity - 1))
    #expect(total.p50 == .milliseconds(3 * capacity - capacity / 2 - 1))
    #expect(recorder.summaries[.waiting]?.samples == 1)
    #expect(recorder.summaries[.detection] == nil)
  }
}
