#if canImport(Vision)
  import Foundation
  import Vision

  /// Reports the device's temperature, now and whenever it changes, until it is released.
  final class ThermalMonitor: @unchecked Sendable {
    // NotificationCenter hands out an opaque token; it is written once and read in deinit.
    private let token: any NSObjectProtocol

    init(onChange: @escaping @Sendable (ThermalLevel) -> Void) {
      // Without a read before it the system never posts the notification.
      _ = Self.current
      token = NotificationCenter.default.addObserver(
        forName: ProcessInfo.thermalStateDidChangeNotification, object: nil, queue: nil
      ) { _ in onChange(Self.current) }
      onChange(Self.current)
    }

    deinit { NotificationCenter.default.removeObserver(token) }

    static var current: ThermalLevel {
      switch ProcessInfo.processInfo.thermalState {
      case .nominal: .nominal
      case .fair: .fair
      case .serious: .serious
      case .critical: .critical
      @unknown default: .serious
      }
    }
  }
#endif
