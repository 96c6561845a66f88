/// How stored pixels are to be turned to be seen upright: EXIF's `1...8`, the raw values of
/// `CGImagePropertyOrientation`.
package enum ImageOrientation: UInt32, CaseIterable, Codable, Hashable, Sendable {
  /// As stored.
  case up = 1
  /// Mirrored left to right.
  case upMirrored = 2
  /// Turned by 180 degrees.
  case down = 3
  /// Mirrored top to bottom.
  case downMirrored = 4
  /// Transposed: mirrored, then turned by 90 degrees anticlockwise.
  case leftMirrored = 5
  /// To be turned by 90 degrees clockwise.
  case right = 6
  /// Mirrored about the other diagonal.
  case rightMirrored = 7
  /// To be turned by 90 degrees anticlockwise.
  case left = 8
}

extension ImageOrientation {
  /// True when width and height change places.
  package var swapsAxes: Bool { rawValue >= 5 }

  /// True when the upright image is a mirror image of the stored one.
  package var isMirrored: Bool {
    switch self {
    case .upMirrored, .downMirrored, .leftMirrored, .rightMirrored: true
    case .up, .down, .left, .right: false
    }
  }

  /// The orientation whose upright image is the mirror image of this one's.
  package var mirrored: ImageOrientation {
    switch self {
    case .up: .upMirrored
    case .upMirrored: .up
    case .down: .downMirrored
    case .downMirrored: .down
    case .right: .leftMirrored
    case .leftMirrored: .right
    case .left: .rightMirrored
    case .rightMirrored: .left
    }
  }

  /// The size of the upright image.
  package func orientedSize(of stored: PixelSize) -> PixelSize {
    swapsAxes ? PixelSize(width: stored.height, height: stored.width) : stored
  }
}

extension ImageOrientation {
  /// The orientation that turns stored pixels by quarter turns clockwise and then, perhaps, mirrors
  /// the result left to right.
  ///
  /// - Parameter quarterTurns: any number; negative ones are anticlockwise.
  package init(quarterTurns: Int, mirrored: Bool = false) {
    let turned: ImageOrientation =
      switch ((quarterTurns % 4) + 4) % 4 {
      case 1: .right
      case 2: .down
      case 3: .left
      default: .up
      }
    self = mirrored ? turned.mirrored : turned
  }

  /// The orientation of a video track, from the linear part of its preferred transform
  /// `x' = a x + c y`, `y' = b x + d y` with the vertical axis pointing down.
  ///
  /// - Returns: nil when the transform is not made of quarter turns and mirroring.
  package init?(transformA a: Double, b: Double, c: Double, d: Double) {
    func sign(_ value: Double) -> Int { value > 0.5 ? 1 : value < -0.5 ? -1 : 0 }
    switch (sign(a), sign(b), sign(c), sign(d)) {
    case (1, 0, 0, 1): self = .up
    case (-1, 0, 0, 1): self = .upMirrored
    case (-1, 0, 0, -1): self = .down
    case (1, 0, 0, -1): self = .downMirrored
    case (0, 1, 1, 0): self = .leftMirrored
    case (0, 1, -1, 0): self = .right
    case (0, -1, -1, 0): self = .rightMirrored
    case (0, -1, 1, 0): self = .left
    default: return nil
    }
  }
}
