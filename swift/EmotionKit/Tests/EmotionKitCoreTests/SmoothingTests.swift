import EmotionKitCore
import Testing

@Suite struct SmoothingTests {
  @Test func smoothingDoesNotDependOnTheFrameRate() {
    func afterOneSecond(steps: Int) -> Double {
      var smoother = TemporalSmoother(timeConstant: .milliseconds(400))
      _ = smoother.update(.mostly(.neutral), at: .zero)
      var result = EmotionDistribution.uniform
      for step in 1...steps {
        result = smoother.update(.mostly(.happiness), at: .seconds(1) * step / steps)
      }
      return result[.happiness]
    }
    let slow = afterOneSecond(steps: 5)
    #expect(abs(slow - afterOneSecond(steps: 30)) < 1e-12)
    // 1 - exp(-1 / 0.4) of the way from 0.1 / 7 to 0.9.
    #expect(abs(slow - (0.1 / 7 + (0.9 - 0.1 / 7) * 0.9179150013761012)) < 1e-12)
  }

  @Test func aGapStartsAfresh() {
    var smoother = TemporalSmoother(resetGap: .seconds(1))
    _ = smoother.update(.mostly(.neutral), at: .zero)
    let within = smoother.update(.mostly(.anger), at: .seconds(1))
    #expect(within[.neutral] > EmotionDistribution.mostly(.anger)[.neutral])
    #expect(smoother.update(.mostly(.fear), at: .milliseconds(2001)) == .mostly(.fear))
  }

  @Test func timeThatStandsStillOrGoesBackChangesNothing() {
    var smoother = TemporalSmoother()
    let first = smoother.update(.mostly(.neutral), at: .seconds(5))
    #expect(smoother.update(.mostly(.anger), at: .seconds(5)) == first)
    #expect(smoother.update(.mostly(.anger), at: .seconds(4)) == first)
  }

  @Test func zeroSwitchesSmoothingOff() {
    var smoother = TemporalSmoother(timeConstant: .zero)
    _ = smoother.update(.mostly(.neutral), at: .zero)
    #expect(smoother.update(.mostly(.anger), at: .milliseconds(1)) == .mostly(.anger))
  }
}

@Suite struct HysteresisTests {
  private func decider() -> HysteresisDecider {
    HysteresisDecider(enter: 0.55, leave: 0.4, minimumDwell: .milliseconds(400))
  }

  @Test func entersAtOnceAndOnlyWhenSure() {
    var decider = decider()
    #expect(decider.update(.mostly(.fear, 0.54), at: .zero) == nil)
    #expect(decider.update(.mostly(.fear, 0.55), at: .milliseconds(10)) == .fear)
  }

  @Test func staysBetweenTheThresholds() {
    var decider = decider()
    _ = decider.update(.mostly(.fear, 0.6), at: .zero)
    #expect(decider.update(.mostly(.fear, 0.41), at: .seconds(1)) == .fear)
    #expect(decider.update(.mostly(.fear, 0.39), at: .seconds(2)) == nil)
    #expect(decider.update(.mostly(.fear, 0.41), at: .seconds(3)) == nil)
  }

  @Test func neverChangesFasterThanTheDwell() {
    var generator = SplitMix64(seed: 7)
    var decider = decider()
    var last: (answer: Emotion?, time: Int)?
    var changes = 0
    for step in 0..<5000 {
      let time = step * 20
      let emotion = Emotion.allCases[generator.integer(in: 0...7)]
      let distribution = EmotionDistribution.mostly(emotion, generator.number(in: 0.2...0.95))
      let answer = decider.update(distribution, at: .milliseconds(time))
      if answer != last?.answer {
        if let last, changes > 0 { #expect(time - last.time >= 400) }
        last = (answer, time)
        changes += 1
      }
    }
    #expect(changes > 100)
  }

  @Test func anotherSureEmotionTakesOver() {
    var decider = decider()
    _ = decider.update(.mostly(.neutral), at: .zero)
    #expect(decider.update(.mostly(.surprise), at: .milliseconds(399)) == .neutral)
    #expect(decider.update(.mostly(.surprise), at: .milliseconds(400)) == .surprise)
  }
}
