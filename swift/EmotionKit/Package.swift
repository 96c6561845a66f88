// swift-tools-version: 6.0
import Foundation
import PackageDescription

// The one manifest of the package: for development here, and as it is when the folder is published
// on its own. A published copy has no DevSupport and no EmotionKitTests; both are added only where
// they exist.

/// Stand-ins for Apple's frameworks, so that the Apple layer is type-checked and run on Linux:
/// `EMOTIONKIT_APPLE_STUBS=1 swift test --scratch-path .build-stubs`
let stubDependencies: [(name: String, needs: [String])] = [
  ("CoreVideo", []),
  ("QuartzCore", []),
  ("ImageIO", ["CoreVideo"]),
  ("CoreImage", ["CoreVideo"]),
  ("CoreMedia", ["CoreVideo"]),
  ("CoreML", ["CoreVideo"]),
  ("Vision", ["CoreImage", "CoreML", "CoreVideo", "ImageIO"]),
  ("AVFoundation", ["CoreMedia", "CoreVideo", "QuartzCore"]),
  ("UIKit", ["CoreImage", "ImageIO", "QuartzCore"]),
  ("UniformTypeIdentifiers", []),
  ("SwiftUI", ["UIKit", "UniformTypeIdentifiers"]),
  ("AVKit", ["AVFoundation", "SwiftUI"]),
  ("PhotosUI", ["SwiftUI", "UniformTypeIdentifiers"]),
]

func exists(_ path: String) -> Bool {
  FileManager.default.fileExists(atPath: Context.packageDirectory + "/" + path)
}

#if os(Linux)
  let useStubs =
    Context.environment["EMOTIONKIT_APPLE_STUBS"] == "1" && exists("DevSupport/AppleStubs")
#else
  let useStubs = false
#endif

let stubs: [Target.Dependency] =
  useStubs ? stubDependencies.map { .init(stringLiteral: $0.name) } : []
let stubDefine: [SwiftSetting] = useStubs ? [.define("EMOTIONKIT_APPLE_STUBS")] : []
// Only where nobody can depend on the package: SwiftPM refuses such flags in dependencies.
let noWarnings: [SwiftSetting] = useStubs ? [.unsafeFlags(["-warnings-as-errors"])] : []

// Swift Testing looks for an overlay of its own beside each module named CoreImage.
let noOverlays: [SwiftSetting] =
  useStubs ? [.unsafeFlags(["-Xfrontend", "-disable-cross-import-overlays"])] : []

var targets: [Target] = [
  .target(name: "EmotionKitCore", swiftSettings: noWarnings),
  .target(
    name: "EmotionKitModel", dependencies: ["EmotionKitCore"],
    // The folder, not the model in it: SwiftPM would take a .mlpackage apart. And never a folder
    // named "Resources", which code signing refuses.
    resources: [.copy("Models"), .copy("PrivacyInfo.xcprivacy")]),
  .target(
    name: "EmotionKit", dependencies: ["EmotionKitCore", "EmotionKitModel"] + stubs,
    swiftSettings: noWarnings),
  .target(
    name: "EmotionKitUI", dependencies: ["EmotionKit", "EmotionKitModel"] + stubs,
    resources: [.process("Localizations")], swiftSettings: noWarnings),
  .testTarget(
    name: "EmotionKitCoreTests", dependencies: ["EmotionKitCore", "EmotionKitModel"],
    resources: [.copy("Golden")]),
]
if exists("Tests/EmotionKitTests") {
  targets.append(
    .testTarget(
      name: "EmotionKitTests", dependencies: ["EmotionKit", "EmotionKitUI"] + stubs,
      swiftSettings: stubDefine + noOverlays))
}
if useStubs && exists("Examples/EmotionCamera") {
  targets.append(
    // Only type-checked: the app itself is built by its Xcode project.
    .executableTarget(
      name: "EmotionCamera", dependencies: ["EmotionKitUI"] + stubs,
      path: "Examples/EmotionCamera/EmotionCamera",
      exclude: ["Info.plist", "PrivacyInfo.xcprivacy"], swiftSettings: noWarnings))
}
if useStubs {
  targets.append(
    // Started by the tests of the toolchain, several at once.
    .executableTarget(
      name: "CompileProcess", dependencies: ["EmotionKitCore"], path: "DevSupport/CompileProcess"))
  targets += stubDependencies.map { stub in
    .target(
      name: stub.name, dependencies: stub.needs.map { .init(stringLiteral: $0) },
      path: "DevSupport/AppleStubs/\(stub.name)",
      // As lenient as the Objective-C headers they stand in for.
      swiftSettings: [.swiftLanguageMode(.v5)])
  }
}

let package = Package(
  name: "EmotionKit",
  defaultLocalization: "en",
  platforms: [.iOS(.v16), .macOS(.v13), .macCatalyst(.v16), .visionOS(.v1)],
  products: [
    .library(name: "EmotionKit", targets: ["EmotionKit"]),
    .library(name: "EmotionKitCore", targets: ["EmotionKitCore"]),
    .library(name: "EmotionKitUI", targets: ["EmotionKitUI"]),
  ],
  targets: targets,
  swiftLanguageModes: [.v6]
)
