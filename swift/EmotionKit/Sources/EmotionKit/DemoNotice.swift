import Foundation

#if canImport(os)
  import os
#endif

/// Says that a model is a demonstration where its developer will see it: in Xcode's console.
enum DemoNotice {
  /// Once for each process, however many monitors there are.
  @Sendable static func log(_ contract: ModelContract) {
    if contract.isDemo { _ = once }
  }

  // Swift initialises a static exactly once, whoever comes first.
  private static let once: Void = {
    #if canImport(os)
      Logger(subsystem: "EmotionKit", category: "model")
        .warning("\(ModelContract.demoNotice, privacy: .public)")
    #else
      FileHandle.standardError.write(Data("EmotionKit: \(ModelContract.demoNotice)\n".utf8))
    #endif
  }()
}
