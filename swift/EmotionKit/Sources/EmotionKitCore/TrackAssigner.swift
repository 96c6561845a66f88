/// Gives the same face the same ``FaceID`` from frame to frame.
///
/// Boxes are matched greedily, the best overlap first. A face that is not seen keeps its identity
/// for `lostTimeout`, so a blink of the detector does not make a new person.
public struct TrackAssigner: Sendable {
  /// What one frame changed.
  public struct Update: Hashable, Sendable {
    /// One identity for each box, in the order of the boxes.
    public var ids: [FaceID]
    /// Identities seen for the first time.
    public var appeared: [FaceID]
    /// Identities given up.
    public var lost: [FaceID]
  }

  private struct Track: Sendable {
    var box: UnitRect
    var lastSeen: Duration
  }

  /// The least overlap that counts as the same face, `0...1`.
  public let minimumOverlap: Double
  /// How long an unseen face is remembered.
  public let lostTimeout: Duration

  private var tracks: [FaceID: Track] = [:]
  private var nextID: UInt64 = 1

  /// Creates an assigner that has seen nobody.
  public init(minimumOverlap: Double = 0.3, lostTimeout: Duration = .seconds(1)) {
    self.minimumOverlap = minimumOverlap
    self.lostTimeout = lostTimeout
  }

  /// The faces remembered now, oldest first.
  public var activeIDs: [FaceID] { tracks.keys.sorted() }

  /// Takes the boxes of one frame.
  ///
  /// - Complexity: O(*n m* log(*n m*)) for *n* boxes and *m* remembered faces.
  public mutating func update(_ boxes: [UnitRect], at time: Duration) -> Update {
    let lost = activeIDs.filter { id in
      tracks[id].map { time - $0.lastSeen > lostTimeout } ?? false
    }
    for id in lost { tracks[id] = nil }

    var assigned = matches(for: boxes)
    var appeared: [FaceID] = []
    for index in boxes.indices where assigned[index] == nil {
      let id = FaceID(rawValue: nextID)
      nextID += 1
      assigned[index] = id
      appeared.append(id)
    }
    let ids = boxes.indices.compactMap { assigned[$0] }
    for (id, box) in zip(ids, boxes) {
      tracks[id] = Track(box: box, lastSeen: time)
    }
    return Update(ids: ids, appeared: appeared, lost: lost)
  }

  /// Forgets everybody; identities continue to count up.
  ///
  /// - Returns: the faces that were remembered, oldest first.
  public mutating func reset() -> [FaceID] {
    let lost = activeIDs
    tracks = [:]
    return lost
  }

  private func matches(for boxes: [UnitRect]) -> [Int: FaceID] {
    var candidates: [(overlap: Double, index: Int, id: FaceID)] = []
    for (id, track) in tracks {
      for (index, box) in boxes.enumerated() {
        let overlap = track.box.intersectionOverUnion(box)
        if overlap >= minimumOverlap && overlap > 0 { candidates.append((overlap, index, id)) }
      }
    }
    // Ties go to the older face, then to the earlier box, so that a run can be repeated.
    candidates.sort { a, b in
      a.overlap != b.overlap ? a.overlap > b.overlap : (a.id, a.index) < (b.id, b.index)
    }
    var assigned: [Int: FaceID] = [:]
    var taken: Set<FaceID> = []
    for candidate in candidates where assigned[candidate.index] == nil {
      if taken.insert(candidate.id).inserted { assigned[candidate.index] = candidate.id }
    }
    return assigned
  }
}
