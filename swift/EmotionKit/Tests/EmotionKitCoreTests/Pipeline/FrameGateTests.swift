import EmotionKitCore
import Testing

@Suite struct FrameGateTests {
  @Test(arguments: [1.0, 5, 12, 15, 24, 30, 60])
  func keepsTheRateAtThirtyFramesASecond(rate: Double) {
    var gate = FrameGate(rate: rate)
    let admitted = (0..<300).count { gate.admit(at: .seconds(10) * $0 / 300) }
    let expected = min(rate, 30) * 10
    #expect(abs(Double(admitted) - expected) <= 1)
  }

  @Test func neverExceedsTheRateWhateverTheJitter() {
    var generator = SplitMix64(seed: 8)
    for _ in 0..<50 {
      let rate = generator.number(in: 1...30)
      var gate = FrameGate(rate: rate)
      var time = 0.0
      var admitted = 0
      for _ in 0..<1000 {
        time += generator.number(in: 0...0.2)
        if gate.admit(at: .seconds(time)) { admitted += 1 }
      }
      #expect(Double(admitted) <= rate * time + 1)
    }
  }

  @Test func aClosedGateAdmitsNothingAndOpensAtOnce() {
    var gate = FrameGate(rate: 0)
    #expect([Duration.zero, .seconds(100)].map { gate.admit(at: $0) } == [false, false])
    gate.rate = 10
    #expect(gate.admit(at: .seconds(100)) == true)
  }

  @Test func aRaisedRateDoesNotWaitForTheOldTimetable() {
    var gate = FrameGate(rate: 0.1)
    #expect(gate.admit(at: .zero) == true)
    gate.rate = 10
    #expect(gate.admit(at: .milliseconds(100)) == true)
  }

  @Test func absurdRatesDoNotTrap() {
    for rate in [Double.leastNonzeroMagnitude, .infinity, .nan, -1] {
      var gate = FrameGate(rate: rate)
      #expect(gate.admit(at: .zero) == (rate > 0))
    }
  }

  @Test func aRestartedCameraIsLetThrough() {
    var gate = FrameGate(rate: 10)
    #expect(gate.admit(at: .seconds(1000)) == true)
    #expect(gate.admit(at: .zero) == true)
    #expect(gate.admit(at: .milliseconds(99)) == false)
    #expect(gate.admit(at: .milliseconds(100)) == true)
  }

  @Test func heatLowersTheRate() {
    let policy = PipelineConfiguration(targetRate: 12, seriousRate: 5)
    #expect(ThermalLevel.allCases.map(policy.rate(at:)) == [12, 12, 5, 0])
    #expect(PipelineConfiguration(targetRate: 3, seriousRate: 5).rate(at: .serious) == 3)
    #expect(ThermalLevel.nominal < .critical)
  }
}
