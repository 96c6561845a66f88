// swift-tools-version: 6.0
import PackageDescription

// A package of its own, so that EmotionKit's products know nothing of it: benchmarks/swift.sh
let package = Package(
  name: "FrameWork",
  platforms: [.macOS(.v13)],
  dependencies: [.package(path: "../../swift/EmotionKit")],
  targets: [
    .target(name: "Allocations"),
    .executableTarget(
      name: "FrameWork",
      dependencies: ["Allocations", .product(name: "EmotionKitCore", package: "EmotionKit")]),
  ],
  swiftLanguageModes: [.v6]
)
