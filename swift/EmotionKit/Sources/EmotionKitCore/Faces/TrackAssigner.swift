/// Gives the same face the same ``FaceID`` from frame to frame.
///
/// Boxes are matched greedily, the best overlap first. A face that is not seen keeps its identity
/// for `lostTimeout`, so a blink of the detector does not make a new person.
package struct TrackAssigner: Sendable {
  /// What one frame changed.
  package struct Update: Hashable, Sendable {
    /// One identity for each box, in the order of the boxes.
    package var ids: [FaceID]
    /// Identities seen for the first time.
    package var appeared: [FaceID]
    /// Identities given up.
    package var lost: [FaceID]
  }

  private struct Track: Sendable {
    let id: FaceID
    var box: UnitRect
    var lastSeen: Duration
  }

  /// The least overlap that counts as the same face, `0...1`.
  package let minimumOverlap: Double
  /// How long an unseen face is remembered.
  package let lostTimeout: Duration

  /// Oldest first.
  private var tracks: [Track] = []
  private var nextID: UInt64 = 1

  /// Creates an assigner that has seen nobody.
  package init(minimumOverlap: Double = 0.3, lostTimeout: Duration = .seconds(1)) {
    self.minimumOverlap = minimumOverlap
    self.lostTimeout = lostTimeout
  }

  /// The faces remembered now, oldest first.
  package var activeIDs: [FaceID] { tracks.map(\.id) }

  /// Takes the boxes of one frame.
  ///
  /// - Complexity: O(*n m* log(*n m*)) for *n* boxes and *m* remembered faces.
  package mutating func update(_ boxes: [UnitRect], at time: Duration) -> Update {
    let lost = tracks.filter { time - $0.lastSeen > lostTimeout }.map(\.id)
    tracks.removeAll { time - $0.lastSeen > lostTimeout }

    let matched = matches(for: boxes)
    var update = Update(ids: [], appeared: [], lost: lost)
    for (box, match) in zip(boxes, matched) {
      if let match {
        tracks[match].box = box
        tracks[match].lastSeen = time
        update.ids.append(tracks[match].id)
      } else {
        let id = FaceID(rawValue: nextID)
        nextID += 1
        tracks.append(Track(id: id, box: box, lastSeen: time))
        update.ids.append(id)
        update.appeared.append(id)
      }
    }
    return update
  }

  /// Forgets everybody; identities continue to count up.
  ///
  /// - Returns: the faces that were remembered, oldest first.
  package mutating func reset() -> [FaceID] {
    let lost = activeIDs
    tracks = []
    return lost
  }

  /// The track of each box, or nil for a newcomer.
  private func matches(for boxes: [UnitRect]) -> [Int?] {
    var candidates: [(overlap: Double, track: Int, box: Int)] = []
    for (track, remembered) in tracks.enumerated() {
      for (index, box) in boxes.enumerated() {
        let overlap = remembered.box.intersectionOverUnion(box)
        if overlap >= minimumOverlap && overlap > 0 { candidates.append((overlap, track, index)) }
      }
    }
    // Ties go to the older face, then to the earlier box, so that a run can be repeated.
    candidates.sort { a, b in
      a.overlap != b.overlap ? a.overlap > b.overlap : (a.track, a.box) < (b.track, b.box)
    }
    var matched = [Int?](repeating: nil, count: boxes.count)
    var taken = [Bool](repeating: false, count: tracks.count)
    for candidate in candidates where matched[candidate.box] == nil && !taken[candidate.track] {
      matched[candidate.box] = candidate.track
      taken[candidate.track] = true
    }
    return matched
  }
}
