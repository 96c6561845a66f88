import EmotionKitCore
import Testing

@Suite struct OrientationTests {
  /// Turns stored pixels upright by EXIF's definition: where row 0 and column 0 of the file belong.
  private func upright(_ stored: [[Int]], _ orientation: ImageOrientation) -> [[Int]] {
    let rows = stored.count
    let columns = stored[0].count
    let size = orientation.orientedSize(of: PixelSize(width: columns, height: rows))
    return (0..<size.height).map { r in
      (0..<size.width).map { c in
        switch orientation {
        case .up: stored[r][c]
        case .upMirrored: stored[r][columns - 1 - c]
        case .down: stored[rows - 1 - r][columns - 1 - c]
        case .downMirrored: stored[rows - 1 - r][c]
        case .leftMirrored: stored[c][r]
        case .right: stored[rows - 1 - c][r]
        case .rightMirrored: stored[rows - 1 - c][columns - 1 - r]
        case .left: stored[c][columns - 1 - r]
        }
      }
    }
  }

  @Test(arguments: ImageOrientation.allCases)
  func mirroringMirrorsTheUprightPicture(orientation: ImageOrientation) {
    let stored = [[1, 2, 3], [4, 5, 6]]
    let mirrored = upright(stored, orientation).map { Array($0.reversed()) }
    #expect(upright(stored, orientation.mirrored) == mirrored)
    #expect(orientation.mirrored.mirrored == orientation)
    #expect(orientation.isMirrored != orientation.mirrored.isMirrored)
    #expect(orientation.swapsAxes == orientation.mirrored.swapsAxes)
  }

  @Test func rawValuesAreEXIFs() {
    #expect(ImageOrientation.allCases.map(\.rawValue) == Array(1...8))
    let stored = PixelSize(width: 4, height: 3)
    #expect(ImageOrientation.right.orientedSize(of: stored) == PixelSize(width: 3, height: 4))
    #expect(ImageOrientation.down.orientedSize(of: stored) == stored)
  }

  /// Apple's face-tracking sample for unrotated front buffers seen as in a mirror.
  @Test(arguments: [
    (DeviceOrientation.portrait, ImageOrientation.leftMirrored),
    (.portraitUpsideDown, .rightMirrored), (.landscapeLeft, .downMirrored),
    (.landscapeRight, .upMirrored),
  ])
  func frontCameraInAMirror(device: DeviceOrientation, expected: ImageOrientation) {
    let mapped = OrientationMapper.orientation(device: device, camera: .front, mirrored: true)
    #expect(mapped == expected)
    let direct = OrientationMapper.orientation(device: device, camera: .front, mirrored: false)
    #expect(direct == expected.mirrored)
  }

  @Test(arguments: [
    (DeviceOrientation.portrait, ImageOrientation.right), (.portraitUpsideDown, .left),
    (.landscapeLeft, .up), (.landscapeRight, .down),
  ])
  func backCamera(device: DeviceOrientation, expected: ImageOrientation) {
    let mapped = OrientationMapper.orientation(device: device, camera: .back, mirrored: false)
    #expect(mapped == expected)
  }

  /// One quarter turn clockwise of a picture.
  private func turned(_ picture: [[Int]]) -> [[Int]] {
    picture[0].indices.map { column in picture.indices.reversed().map { picture[$0][column] } }
  }

  private func turned(_ picture: [[Int]], times: Int) -> [[Int]] {
    (0..<times).reduce(picture) { picture, _ in turned(picture) }
  }

  private func mirrored(_ picture: [[Int]]) -> [[Int]] { picture.map { $0.reversed() } }

  @Test func quarterTurnsTurnClockwise() {
    let stored = [[1, 2, 3], [4, 5, 6]]
    for turns in 0..<4 {
      let wanted = turned(stored, times: turns)
      #expect(upright(stored, ImageOrientation(quarterTurns: turns)) == wanted)
      #expect(upright(stored, ImageOrientation(quarterTurns: turns - 8)) == wanted)
      #expect(
        upright(stored, ImageOrientation(quarterTurns: turns, mirrored: true)) == mirrored(wanted))
    }
  }

  /// Every way the device can be held, both cameras, every angle a connection may have turned the
  /// buffer by, mirrored by it or not: Vision always sees the upright picture.
  @Test func whateverTheConnectionDidVisionSeesThePictureUpright() {
    let sensor = [[1, 2, 3], [4, 5, 6]]
    var combinations = 0
    for device in DeviceOrientation.allCases {
      for camera in CameraPosition.allCases {
        let wanted = OrientationMapper.quarterTurns(device: device, camera: camera)
        for mirrorWanted in [false, true] {
          let person = turned(sensor, times: wanted)
          let expected = mirrorWanted ? mirrored(person) : person
          for done in 0..<4 {
            for alreadyMirrored in [false, true] {
              let connection = turned(sensor, times: done)
              let buffer = alreadyMirrored ? mirrored(connection) : connection
              let rest = OrientationMapper.remaining(
                wanted: wanted, done: done, mirrored: mirrorWanted,
                alreadyMirrored: alreadyMirrored)
              #expect(upright(buffer, rest) == expected)
              combinations += 1
            }
          }
          // Without a connection that helps, it is the table.
          #expect(
            OrientationMapper.remaining(
              wanted: wanted, done: 0, mirrored: mirrorWanted, alreadyMirrored: false)
              == OrientationMapper.orientation(
                device: device, camera: camera, mirrored: mirrorWanted))
        }
      }
    }
    #expect(combinations == 128)
  }

  /// A track's transform says where each stored point belongs, up to a shift.
  @Test func videoTransformsBecomeOrientations() throws {
    let stored = [[1, 2, 3], [4, 5, 6]]
    for orientation in ImageOrientation.allCases {
      var found = 0
      for (a, b, c, d) in Self.transforms {
        guard
          let mapped = ImageOrientation(transformA: a, b: b, c: c, d: d), mapped == orientation
        else { continue }
        found += 1
        var shown: [[Int]: Int] = [:]
        for (row, line) in stored.enumerated() {
          for (column, pixel) in line.enumerated() {
            let x = a * Double(column) + c * Double(row)
            let y = b * Double(column) + d * Double(row)
            shown[[Int(y), Int(x)]] = pixel
          }
        }
        let rows = Set(shown.keys.map { $0[0] }).sorted()
        let columns = Set(shown.keys.map { $0[1] }).sorted()
        let picture = rows.map { row in columns.compactMap { shown[[row, $0]] } }
        #expect(picture == upright(stored, orientation))
      }
      #expect(found == 1)
    }
    #expect(ImageOrientation(transformA: 0.7, b: 0.7, c: -0.7, d: 0.7) == nil)
    #expect(ImageOrientation(transformA: 0, b: 0, c: 0, d: 0) == nil)
  }

  /// The eight matrices of quarter turns and mirror images.
  private static let transforms: [(Double, Double, Double, Double)] = [-1.0, 1].flatMap { p in
    [-1.0, 1].flatMap { q in [(p, 0, 0, q), (0, p, q, 0)] }
  }
}
