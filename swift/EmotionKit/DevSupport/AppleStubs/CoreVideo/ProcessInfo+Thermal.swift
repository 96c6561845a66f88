import Foundation

// Absent from Foundation on Linux. One value for the process, set by tests.
nonisolated(unsafe) public var stubThermalState: ProcessInfo.ThermalState = .nominal

extension ProcessInfo {
  public enum ThermalState: Int, Sendable { case nominal, fair, serious, critical }
  public var thermalState: ThermalState { stubThermalState }
  public static let thermalStateDidChangeNotification = Notification.Name("stub.thermal")
}
