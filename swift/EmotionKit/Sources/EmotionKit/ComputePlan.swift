/// A piece of hardware that Core ML can use.
@_spi(Diagnostics) public enum ComputeDevice: String, CaseIterable, Hashable, Sendable {
  /// The processor.
  case cpu
  /// The graphics processor.
  case gpu
  /// The Neural Engine.
  case neuralEngine
}

/// Where Core ML intends to run each operation of the network.
///
/// ``ComputeUnits`` is what Core ML *may* use; this is what it prefers. A small network may never be
/// placed on the Neural Engine although it is allowed to.
@_spi(Diagnostics) public struct ComputePlan: Hashable, Sendable {
  /// The number of operations that prefer each device; devices without one are absent.
  public let operations: [ComputeDevice: Int]
  /// Operations for which Core ML names no device, such as constants.
  public let unplaced: Int
}

#if canImport(Vision)
  import CoreML
  import Foundation

  extension ComputeDevice {
    /// The devices of this machine; nil before iOS 17 and macOS 14, which cannot tell.
    @_spi(Diagnostics) public static var available: Set<ComputeDevice>? {
      guard #available(iOS 17.0, macOS 14.0, *) else { return nil }
      return Set(MLModel.availableComputeDevices.compactMap(ComputeDevice.init))
    }

    @available(iOS 17.0, macOS 14.0, *)
    init?(_ device: MLComputeDevice) {
      switch device {
      case .cpu: self = .cpu
      case .gpu: self = .gpu
      case .neuralEngine: self = .neuralEngine
      @unknown default: return nil
      }
    }
  }

  extension ComputePlan {
    /// Asks Core ML, which takes as long as loading the model.
    ///
    /// - Returns: nil before iOS 17.4, macOS 14.4 and visionOS 1.1, and for a model whose structure
    ///   Core ML does not show.
    /// - Throws: ``EmotionKitError/modelLoadFailed(_:reason:)``.
    static func load(compiled url: URL, units: ComputeUnits) async throws -> ComputePlan? {
      guard #available(iOS 17.4, macOS 14.4, tvOS 17.4, visionOS 1.1, *) else { return nil }
      let configuration = MLModelConfiguration()
      configuration.computeUnits = MLComputeUnits(units)
      do {
        let plan = try await MLComputePlan.load(contentsOf: url, configuration: configuration)
        return summary(of: plan)
      } catch {
        throw EmotionKitError.modelLoadFailed(url, reason: error.localizedDescription)
      }
    }

    @available(iOS 17.4, macOS 14.4, tvOS 17.4, visionOS 1.1, *)
    private static func summary(of plan: MLComputePlan) -> ComputePlan? {
      let usages: [MLComputePlan.DeviceUsage?]
      switch plan.modelStructure {
      case .program(let program):
        guard let main = program.functions["main"] else { return nil }
        usages = main.block.operations.map { plan.deviceUsage(for: $0) }
      case .neuralNetwork(let network):
        usages = network.layers.map { plan.deviceUsage(for: $0) }
      case .pipeline, .unsupported: return nil
      @unknown default: return nil
      }
      let devices = usages.compactMap { $0.flatMap { ComputeDevice($0.preferred) } }
      return ComputePlan(
        operations: Dictionary(devices.map { ($0, 1) }, uniquingKeysWith: +),
        unplaced: usages.count - devices.count)
    }
  }
#endif
