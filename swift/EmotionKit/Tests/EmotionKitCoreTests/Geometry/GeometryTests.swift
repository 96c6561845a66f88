import EmotionKitCore
import Foundation
import Testing

@Suite struct GeometryTests {
  @Test func pixelAndUnitRectanglesAreEachOthersInverse() {
    var generator = SplitMix64(seed: 2)
    for _ in 0..<500 {
      let size = PixelSize(
        width: generator.integer(in: 1...4000), height: generator.integer(in: 1...4000))
      let rect = generator.pixelRect()
      let back = PixelRect(UnitRect(rect, in: size), in: size)
      #expect(abs(back.x - rect.x) < 1e-8 && abs(back.y - rect.y) < 1e-8)
      #expect(abs(back.width - rect.width) < 1e-8 && abs(back.height - rect.height) < 1e-8)
    }
  }

  @Test func visionsOriginIsLowerLeft() {
    let size = PixelSize(width: 200, height: 100)
    let upperLeft = UnitRect(PixelRect(x: 0, y: 0, width: 20, height: 20), in: size)
    #expect(upperLeft == UnitRect(x: 0, y: 0.8, width: 0.1, height: 0.2))
  }

  @Test func overlapIsSymmetricAndBounded() {
    var generator = SplitMix64(seed: 3)
    for _ in 0..<500 {
      let a = generator.unitRect()
      let b = generator.unitRect()
      let overlap = a.intersectionOverUnion(b)
      #expect(overlap == b.intersectionOverUnion(a))
      #expect((0...1).contains(overlap))
      #expect(abs(a.intersectionOverUnion(a) - 1) < 1e-9)
      #expect(
        abs(a.flippedVertically.intersectionOverUnion(b.flippedVertically) - overlap) < 1e-9)
    }
    let left = UnitRect(x: 0, y: 0, width: 0.5, height: 1)
    let right = UnitRect(x: 0.5, y: 0, width: 0.5, height: 1)
    #expect(left.intersectionOverUnion(right) == 0)
    #expect(left.intersectionOverUnion(.full) == 0.5)
  }

  @Test func plannedRegionsAreSquareInsideAndCentredWhenTheyCanBe() throws {
    var generator = SplitMix64(seed: 4)
    for _ in 0..<2000 {
      let size = PixelSize(
        width: generator.integer(in: 1...2000), height: generator.integer(in: 1...2000))
      let face = generator.pixelRect()
      let planner = RegionPlanner(margin: generator.number(in: 0...1))
      let region = try planner.region(around: face, in: size)
      let wanted = max(face.width, face.height) * (1 + planner.margin)
      #expect(region.width == region.height)
      #expect(abs(region.width - min(wanted, Double(size.shorterSide))) < 1e-9)
      #expect(region.x >= 0 && region.y >= 0)
      #expect(region.x + region.width <= Double(size.width) + 1e-9)
      #expect(region.y + region.height <= Double(size.height) + 1e-9)

      // Shifting moves an axis only if the centred square would have left the image there.
      let centred = face.x + face.width / 2 - region.width / 2
      if centred >= 0 && centred + region.width <= Double(size.width) {
        #expect(abs(region.x - centred) < 1e-9)
      } else {
        #expect(region.x == 0 || region.x == Double(size.width) - region.width)
      }
    }
  }

  @Test func visionRegionsNeverLeaveTheImage() throws {
    var generator = SplitMix64(seed: 5)
    for _ in 0..<2000 {
      let size = PixelSize(
        width: generator.integer(in: 1...4000), height: generator.integer(in: 1...4000))
      let region = try RegionPlanner(margin: 0.3).region(around: generator.unitRect(), in: size)
      #expect(region.x >= 0 && region.y >= 0)
      #expect(region.x + region.width <= 1 && region.y + region.height <= 1)
      let sides = (region.width * Double(size.width), region.height * Double(size.height))
      #expect(abs(sides.0 - sides.1) < 1e-6)
    }
  }

  @Test func theTwoSpacesPlanTheSameSquare() throws {
    let size = PixelSize(width: 640, height: 480)
    let face = PixelRect(x: 500, y: 10, width: 120, height: 150)
    let planner = RegionPlanner(margin: 0.3)
    let pixels = try planner.region(around: face, in: size)
    #expect(pixels == PixelRect(x: 445, y: 0, width: 195, height: 195))
    let unit = try planner.region(around: UnitRect(face, in: size), in: size)
    let back = PixelRect(unit, in: size)
    #expect(abs(back.x - 445) < 1e-9 && abs(back.y) < 1e-9 && abs(back.width - 195) < 1e-9)
  }

  @Test(arguments: [
    PixelRect(x: 0, y: 0, width: 0, height: 5), PixelRect(x: 0, y: 0, width: 5, height: -1),
    PixelRect(x: .nan, y: 0, width: 5, height: 5),
    PixelRect(x: 0, y: 0, width: .infinity, height: 1),
  ])
  func facesWithoutAreaAreRefused(face: PixelRect) {
    #expect(throws: EmotionKitError.self) {
      try RegionPlanner(margin: 0.3).region(around: face, in: PixelSize(width: 10, height: 10))
    }
  }

  @Test func emptyImagesAndBadMarginsAreRefused() {
    let face = PixelRect(x: 0, y: 0, width: 5, height: 5)
    #expect(throws: EmotionKitError.self) {
      try RegionPlanner(margin: 0.3).region(around: face, in: PixelSize(width: 0, height: 10))
    }
    #expect(throws: EmotionKitError.self) {
      try RegionPlanner(margin: -0.1).region(around: face, in: PixelSize(width: 9, height: 9))
    }
  }

  @Test func fourQuarterTurnsAreNone() {
    var generator = SplitMix64(seed: 23)
    for _ in 0..<200 {
      let rect = generator.unitRect()
      let twice = rect.turnedClockwise.turnedClockwise
      let halfTurn = rect.flippedVertically.flippedHorizontally
      let around = twice.turnedClockwise.turnedClockwise
      for (a, b) in [(twice, halfTurn), (around, rect)] {
        #expect(abs(a.x - b.x) < 1e-12 && abs(a.y - b.y) < 1e-12)
        #expect(a.width == b.width && a.height == b.height)
      }
    }
    // The upper left corner goes to the upper right.
    let corner = UnitRect(x: 0, y: 0.75, width: 0.5, height: 0.25)
    #expect(corner.turnedClockwise == UnitRect(x: 0.75, y: 0.5, width: 0.25, height: 0.5))
  }

  /// A window locked to portrait on a device that is turned: the picture is shown turned.
  @Test func projectionTurnsWithTheWindow() throws {
    let image = PixelSize(width: 200, height: 100)
    let upperLeft = UnitRect(x: 0, y: 0.5, width: 0.25, height: 0.5)
    func project(_ turns: Int, mirrored: Bool = false) throws -> CGRect {
      try #require(
        ViewProjection(
          image: image, viewWidth: 100, viewHeight: 200, mode: .fit, quarterTurns: turns,
          mirrored: mirrored
        ).project(upperLeft))
    }
    // Turned by a quarter the picture is 100 x 200 and fits exactly.
    #expect(try project(1) == CGRect(x: 50, y: 0, width: 50, height: 50))
    #expect(try project(-1) == CGRect(x: 0, y: 150, width: 50, height: 50))
    #expect(try project(5) == project(1))
    #expect(try project(1, mirrored: true) == CGRect(x: 0, y: 0, width: 50, height: 50))
    // By a half it is 200 x 100 again, shown at half size between bars of 75.
    #expect(try project(2) == CGRect(x: 75, y: 100, width: 25, height: 25))
  }

  @Test func projectionFillsFitsAndMirrors() throws {
    let image = PixelSize(width: 200, height: 100)
    let box = UnitRect(x: 0, y: 0, width: 0.5, height: 0.5)  // lower left quarter
    func project(_ mode: ViewProjection.ContentMode, mirrored: Bool = false) throws -> CGRect {
      try #require(
        ViewProjection(
          image: image, viewWidth: 100, viewHeight: 100, mode: mode, mirrored: mirrored
        ).project(box))
    }
    #expect(try project(.fit) == CGRect(x: 0, y: 50, width: 50, height: 25))
    #expect(try project(.fill) == CGRect(x: -50, y: 50, width: 100, height: 50))
    #expect(try project(.fit, mirrored: true) == CGRect(x: 50, y: 50, width: 50, height: 25))
    let empty = ViewProjection(image: image, viewWidth: 0, viewHeight: 1, mode: .fit)
    #expect(empty.project(box) == nil)
  }
}

extension SplitMix64 {
  fileprivate mutating func pixelRect() -> PixelRect {
    PixelRect(
      x: number(in: -200...2200), y: number(in: -200...2200), width: number(in: 0.5...1500),
      height: number(in: 0.5...1500))
  }

  fileprivate mutating func unitRect() -> UnitRect {
    UnitRect(
      x: number(in: -0.2...1), y: number(in: -0.2...1), width: number(in: 0.001...1.2),
      height: number(in: 0.001...1.2))
  }
}
