import SwiftUI
import UniformTypeIdentifiers

public struct PHPickerFilter: Sendable {
  public static let images = PHPickerFilter()
}

public protocol Transferable: Sendable {}
extension Data: Transferable {}

public struct PhotosPickerItem: Hashable, Sendable {
  /// Stub only.
  public let stubData: Data?
  public init(stubData: Data?) { self.stubData = stubData }
  public func loadTransferable<T: Transferable>(type: T.Type) async throws -> T? {
    stubData as? T
  }
}

public struct PhotosPicker: StubPrimitive {
  public let stubChildren: [any View]
  public init(
    selection: Binding<PhotosPickerItem?>, matching filter: PHPickerFilter? = nil,
    @ViewBuilder label: () -> some View
  ) {
    stubChildren = [label()]
  }
}
