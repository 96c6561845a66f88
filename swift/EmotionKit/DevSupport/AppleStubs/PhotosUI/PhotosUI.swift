import SwiftUI
import UniformTypeIdentifiers

public struct PHPickerFilter: Sendable {
  public static let images = PHPickerFilter()
}

/// Not `Sendable`: a type that is transferred may still belong to one task.
public protocol Transferable {}
extension Data: Transferable {}

public struct PhotosPickerItem: Hashable, Sendable {
  /// Stub only.
  public let stubData: Data?
  public init(stubData: Data?) { self.stubData = stubData }
  public func loadTransferable<T: Transferable>(type: T.Type) async throws -> T? {
    stubData as? T
  }
}

public struct PhotosPicker<Label: View>: StubPrimitive {
  nonisolated(unsafe) public let stubChildren: [any View]
  /// The label is made on no particular actor, so it can be of nothing but values.
  @preconcurrency nonisolated public init(
    selection: Binding<PhotosPickerItem?>, matching filter: PHPickerFilter? = nil,
    @ViewBuilder label: @Sendable () -> Label
  ) {
    stubChildren = [label()]
  }
}
