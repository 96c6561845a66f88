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

  @Test func aModelWithOtherLabelsStartsAfresh() throws {
    var smoother = TemporalSmoother()
    _ = smoother.update(.mostly(.neutral), at: .zero)
    let other = try EmotionDistribution(weights: [1, 3], labels: [.anger, .neutral])
    #expect(smoother.update(other, at: .milliseconds(50)) == other)
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

@Suite struct WeightedSmoothingTests {
  @Test func onlyTheRatioOfTheWeightsMatters() {
    func smoothed(scale: Double) -> EmotionDistribution {
      var generator = SplitMix64(seed: 21)
      var smoother = TemporalSmoother()
      var last = EmotionDistribution.uniform
      for step in 0..<50 {
        let weight = generator.number(in: 0.4...0.9)
        last = smoother.update(
          .mostly(Emotion.known[generator.integer(in: 0...7)]),
          at: .milliseconds(80 * step), weight: weight * scale)
      }
      return last
    }
    for (a, b) in zip(smoothed(scale: 1).probabilities, smoothed(scale: 0.2).probabilities) {
      #expect(abs(a - b) < 1e-12)
    }
  }

  @Test func aBlurredFramePullsLess() {
    func pull(of weight: Double) -> Double {
      var smoother = TemporalSmoother()
      _ = smoother.update(.mostly(.neutral), at: .zero, weight: 0.8)
      return smoother.update(.mostly(.anger), at: .milliseconds(80), weight: weight)[.anger]
    }
    #expect(pull(of: 0.8) > pull(of: 0.2))
    #expect(pull(of: 0.2) > pull(of: 0.05))
    // With the weights w0 = 0.8 and w, k = exp(-80 / 400): the share of the new frame is
    // w (1 - k) / (w0 k + w (1 - k)).
    let share = 0.2 * 0.18126924692201818 / (0.8 * 0.8187307530779818 + 0.2 * 0.18126924692201818)
    #expect(abs(pull(of: 0.2) - (0.1 / 7 + share * (0.9 - 0.1 / 7))) < 1e-12)
  }

  @Test func aClearFrameAfterABlurredOneTakesOverQuickly() {
    func afterOneStep(first: Double) -> Double {
      var smoother = TemporalSmoother()
      _ = smoother.update(.mostly(.neutral), at: .zero, weight: first)
      return smoother.update(.mostly(.anger), at: .milliseconds(80), weight: 0.9)[.anger]
    }
    #expect(afterOneStep(first: 0.1) > 2 * afterOneStep(first: 0.9))
  }

  @Test func absurdWeightsAreHarmless() {
    for weight in [Double.nan, .infinity, -1, 0, 1e300] {
      var smoother = TemporalSmoother()
      for step in 0..<1000 {
        let result = smoother.update(
          .mostly(step % 2 == 0 ? .fear : .anger), at: .milliseconds(step), weight: weight)
        #expect(abs(result.probabilities.reduce(0, +) - 1) < 1e-9)
      }
    }
  }

  /// Whatever comes in, what goes out is a distribution between the smallest and the largest that
  /// came in.
  @Test func theAverageStaysInTheSimplexAndInTheRangeOfItsInputs() throws {
    var generator = SplitMix64(seed: 22)
    for _ in 0..<100 {
      var smoother = TemporalSmoother(
        timeConstant: .milliseconds(generator.integer(in: 0...2000)),
        resetGap: .milliseconds(generator.integer(in: 1...2000)))
      var low = [Double](repeating: 1, count: 8)
      var high = [Double](repeating: 0, count: 8)
      var time = Duration.zero
      for _ in 0..<100 {
        time += .milliseconds(generator.integer(in: 0...300))
        let input = try EmotionDistribution(
          weights: (0..<8).map { _ in generator.number(in: 0...1) + 1e-9 })
        for (index, value) in input.probabilities.enumerated() {
          low[index] = min(low[index], value)
          high[index] = max(high[index], value)
        }
        let output = smoother.update(input, at: time, weight: generator.number(in: -0.2...1.2))
          .probabilities
        #expect(abs(output.reduce(0, +) - 1) < 1e-9)
        for index in 0..<8 {
          #expect(output[index] >= low[index] - 1e-12 && output[index] <= high[index] + 1e-12)
        }
      }
    }
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
      let emotion = Emotion.known[generator.integer(in: 0...7)]
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
