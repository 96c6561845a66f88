import Foundation
import Testing

/// The example's Xcode project is written by hand: nothing in it may lead nowhere.
@Suite struct ExampleProjectTests {
  private let project: ExampleProject

  init() throws {
    project = try ExampleProject()
  }

  @Test func everyReferenceIsDefinedAndEveryObjectIsUsed() throws {
    var used: Set<String> = [project.root]
    for object in project.objects.values {
      for reference in project.references(in: object) {
        #expect(project.objects[reference] != nil, "\(reference) is not defined")
        used.insert(reference)
      }
    }
    #expect(used == Set(project.objects.keys))
  }

  @Test func everyFileExistsAndEverySourceIsBuilt() throws {
    let group = try #require(
      project.objects.values.first { $0["path"] as? String == "EmotionCamera" })
    let children = try #require(group["children"] as? [String])
    let paths = children.compactMap { project.objects[$0]?["path"] as? String }
    let folder = ExampleProject.folder.appendingPathComponent("EmotionCamera")
    let onDisk = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(paths.sorted() == onDisk.sorted())

    let phase = try #require(project.all("PBXSourcesBuildPhase").first?["files"] as? [String])
    let built = phase.compactMap { project.objects[$0]?["fileRef"] as? String }
      .compactMap { project.objects[$0]?["path"] as? String }
    #expect(built.sorted() == onDisk.filter { $0.hasSuffix(".swift") }.sorted())
  }

  @Test func thePackageIsTheOneAroundIt() throws {
    let path = try #require(
      project.all("XCLocalSwiftPackageReference").first?["relativePath"] as? String)
    let manifest = ExampleProject.folder.appendingPathComponent(path)
      .appendingPathComponent("Package.swift")
    let text = try String(contentsOf: manifest, encoding: .utf8)
    for product in project.all("XCSwiftPackageProductDependency") {
      let name = try #require(product["productName"] as? String)
      #expect(text.contains(".library(name: \"\(name)\""))
    }
  }

  @Test func thePersonIsToldWhyTheCameraIsUsed() throws {
    let folder = ExampleProject.folder.appendingPathComponent("EmotionCamera")
    let info = try #require(
      try PropertyListSerialization.propertyList(
        from: Data(contentsOf: folder.appendingPathComponent("Info.plist")), format: nil)
        as? [String: Any])
    #expect((info["NSCameraUsageDescription"] as? String)?.isEmpty == false)
    let privacy = try #require(
      try PropertyListSerialization.propertyList(
        from: Data(contentsOf: folder.appendingPathComponent("PrivacyInfo.xcprivacy")), format: nil)
        as? [String: Any])
    #expect(privacy["NSPrivacyTracking"] as? Bool == false)
    for settings in project.all("XCBuildConfiguration") {
      let values = settings["buildSettings"] as? [String: Any]
      if let path = values?["INFOPLIST_FILE"] as? String {
        let file = ExampleProject.folder.appendingPathComponent(path).path
        #expect(FileManager.default.fileExists(atPath: file))
      } else {
        #expect(values?["SWIFT_VERSION"] as? String == "6.0")
      }
    }
  }
}

/// A project file, read as the property list it is.
private struct ExampleProject {
  static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Examples/EmotionCamera")

  let root: String
  let objects: [String: [String: Any]]

  init() throws {
    let file = Self.folder.appendingPathComponent("EmotionCamera.xcodeproj/project.pbxproj")
    let list = try PropertyListSerialization.propertyList(
      from: Data(contentsOf: file), format: nil)
    let top = try #require(list as? [String: Any])
    root = try #require(top["rootObject"] as? String)
    objects = try #require(top["objects"] as? [String: [String: Any]])
  }

  func all(_ isa: String) -> [[String: Any]] {
    objects.values.filter { $0["isa"] as? String == isa }
  }

  /// Everything in an object that looks like an identifier.
  func references(in object: [String: Any]) -> [String] {
    func collect(_ value: Any) -> [String] {
      switch value {
      case let text as String:
        text.count == 24 && text.allSatisfy(\.isHexDigit) ? [text] : []
      case let list as [Any]: list.flatMap(collect)
      case let dictionary as [String: Any]:
        dictionary.flatMap { collect($0.key) + collect($0.value) }
      default: []
      }
    }
    return collect(object)
  }
}
