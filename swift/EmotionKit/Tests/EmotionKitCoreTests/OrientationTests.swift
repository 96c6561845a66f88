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
}
