import EmotionKitCore
import Testing

@Suite struct TrackAssignerTests {
  private func box(_ x: Double, _ y: Double = 0.4) -> UnitRect {
    UnitRect(x: x, y: y, width: 0.2, height: 0.2)
  }

  @Test func aMovingFaceKeepsItsIdentity() {
    var assigner = TrackAssigner()
    let first = assigner.update([box(0)], at: .zero)
    #expect(first.ids == [FaceID(rawValue: 1)] && first.appeared == first.ids)
    for step in 1...20 {
      let update = assigner.update([box(Double(step) * 0.04)], at: .milliseconds(80 * step))
      #expect(update.ids == first.ids && update.appeared.isEmpty && update.lost.isEmpty)
    }
  }

  @Test func aJumpIsANewFaceAndTheOldOneIsLostLater() {
    var assigner = TrackAssigner(lostTimeout: .seconds(1))
    _ = assigner.update([box(0)], at: .zero)
    let jump = assigner.update([box(0.7)], at: .milliseconds(100))
    #expect(jump.ids == [FaceID(rawValue: 2)] && jump.lost.isEmpty)
    let exactly = assigner.update([box(0.7)], at: .seconds(1))
    #expect(exactly.lost.isEmpty)
    let later = assigner.update([box(0.7)], at: .milliseconds(1001))
    #expect(later.lost == [FaceID(rawValue: 1)])
    #expect(assigner.activeIDs == [FaceID(rawValue: 2)])
  }

  @Test func aBlinkOfTheDetectorIsForgiven() {
    var assigner = TrackAssigner()
    let first = assigner.update([box(0.3)], at: .zero)
    #expect(assigner.update([], at: .milliseconds(500)).lost.isEmpty)
    #expect(assigner.update([box(0.32)], at: .milliseconds(900)).ids == first.ids)
  }

  @Test func theBestOverlapWins() {
    var assigner = TrackAssigner(minimumOverlap: 0.1)
    let ids = assigner.update([box(0), box(0.15)], at: .zero).ids
    // Both new boxes overlap both old ones; the pairs with the larger overlap belong together.
    let next = assigner.update([box(0.16), box(0.02)], at: .milliseconds(80)).ids
    #expect(next == [ids[1], ids[0]])
  }

  @Test func theOrderOfBoxesDoesNotMatterAndIdentitiesAreUnique() {
    var generator = SplitMix64(seed: 6)
    var assigner = TrackAssigner()
    var other = TrackAssigner()
    var everSeen: Set<FaceID> = []
    var boxes = (0..<5).map { _ in box(generator.number(in: 0...0.8), generator.number(in: 0...0.8))
    }
    // The same starting order gives both the same identities.
    for frame in 0..<200 {
      let time = Duration.milliseconds(80 * frame)
      let update = assigner.update(boxes, at: time)
      let order = frame == 0 ? Array(boxes.indices) : boxes.indices.shuffled(using: &generator)
      let shuffled = other.update(order.map { boxes[$0] }, at: time)
      #expect(Set(update.ids).count == boxes.count)
      if update.appeared.count <= 1 {
        #expect(order.map { update.ids[$0] } == shuffled.ids)
      } else {
        other = assigner  // several newcomers at once may be numbered in either order
      }
      for id in update.appeared { #expect(everSeen.insert(id).inserted) }
      for index in boxes.indices {
        boxes[index].x += generator.number(in: -0.02...0.02)
        boxes[index].y += generator.number(in: -0.02...0.02)
      }
      if frame % 50 == 49 { boxes[0] = box(generator.number(in: 0...0.8)) }
    }
  }

  @Test func resetForgetsButNeverReuses() {
    var assigner = TrackAssigner()
    let before = assigner.update([box(0), box(0.5)], at: .zero).ids
    #expect(assigner.reset() == before)
    let after = assigner.update([box(0)], at: .milliseconds(10)).ids
    #expect(after == [FaceID(rawValue: 3)])
  }

  /// Faces that keep apart keep their identities, however the detector shuffles them.
  @Test func identitiesFollowFacesUnderEveryPermutation() {
    var generator = SplitMix64(seed: 24)
    for _ in 0..<40 {
      var assigner = TrackAssigner()
      var faces = (0..<5).map { box(0.19 * Double($0), generator.number(in: 0...0.7)) }
      let first = assigner.update(faces, at: .zero).ids
      for frame in 1..<30 {
        for index in faces.indices { faces[index].y += generator.number(in: -0.05...0.05) }
        let order = faces.indices.shuffled(using: &generator)
        let update = assigner.update(order.map { faces[$0] }, at: .milliseconds(80 * frame))
        #expect(update.ids == order.map { first[$0] })
        #expect(update.appeared.isEmpty && update.lost.isEmpty)
      }
    }
  }
}
