import Foundation

// Absent from Foundation on Linux.

/// The process's temperature, set by tests, one test at a time.
///
/// As strict as Apple's documentation: without a read of the state before somebody registers for the
/// notification, it is never posted.
public enum StubThermal {
  private static let lock = NSLock()
  nonisolated(unsafe) private static var state = ProcessInfo.ThermalState.nominal
  nonisolated(unsafe) private static var wasRead = false
  nonisolated(unsafe) private static var isPosted = false

  public static func reset() {
    lock.withLock {
      state = .nominal
      wasRead = false
      isPosted = false
    }
  }

  /// Changes the state and tells those who registered as they must.
  public static func change(to newState: ProcessInfo.ThermalState) {
    let told = lock.withLock {
      state = newState
      return isPosted
    }
    guard told else { return }
    NotificationCenter.default.post(
      name: ProcessInfo.thermalStateDidChangeNotification, object: nil)
  }

  static func read() -> ProcessInfo.ThermalState {
    lock.withLock {
      wasRead = true
      return state
    }
  }

  /// Whoever names the notification is about to register for it.
  static func register() { lock.withLock { isPosted = isPosted || wasRead } }
}

extension ProcessInfo {
  public enum ThermalState: Int, Sendable { case nominal, fair, serious, critical }
  public var thermalState: ThermalState { StubThermal.read() }
  public static var thermalStateDidChangeNotification: Notification.Name {
    StubThermal.register()
    return Notification.Name("stub.thermal")
  }
}
