// swift-tools-version: 6.0
import PackageDescription

// For apps that add this repository by its URL: SwiftPM wants the manifest at the root. The package
// itself, and the manifest for working on it, are in swift/EmotionKit.
let sources = "swift/EmotionKit/Sources/"
let tests = "swift/EmotionKit/Tests/"

let package = Package(
  name: "EmotionKit",
  defaultLocalization: "en",
  platforms: [.iOS(.v16), .macOS(.v13), .macCatalyst(.v16), .visionOS(.v1)],
  products: [
    .library(name: "EmotionKit", targets: ["EmotionKit"]),
    .library(name: "EmotionKitCore", targets: ["EmotionKitCore"]),
    .library(name: "EmotionKitUI", targets: ["EmotionKitUI"]),
  ],
  targets: [
    .target(name: "EmotionKitCore", path: sources + "EmotionKitCore"),
    .target(
      name: "EmotionKitModel", dependencies: ["EmotionKitCore"], path: sources + "EmotionKitModel",
      resources: [.copy("Models"), .copy("PrivacyInfo.xcprivacy")]),
    .target(
      name: "EmotionKit", dependencies: ["EmotionKitCore", "EmotionKitModel"],
      path: sources + "EmotionKit"),
    .target(
      name: "EmotionKitUI", dependencies: ["EmotionKit", "EmotionKitModel"],
      path: sources + "EmotionKitUI", resources: [.process("Localizations")]),
    .testTarget(
      name: "EmotionKitCoreTests", dependencies: ["EmotionKitCore", "EmotionKitModel"],
      path: tests + "EmotionKitCoreTests", resources: [.copy("Golden")]),
    .testTarget(
      name: "EmotionKitTests", dependencies: ["EmotionKit", "EmotionKitUI"],
      path: tests + "EmotionKitTests"),
  ],
  swiftLanguageModes: [.v6]
)
