#if canImport(AppKit) && !canImport(UIKit)
  import AppKit

  extension Image {
    nonisolated public init(nsImage: NSImage) { self.init(stubNote: "picture") }
  }

  @MainActor @preconcurrency public protocol NSViewRepresentable: StubPrimitive {
    associatedtype NSViewType: NSView
    typealias Context = NSViewRepresentableContext<Self>
    func makeNSView(context: Context) -> NSViewType
    func updateNSView(_ view: NSViewType, context: Context)
  }

  @MainActor public struct NSViewRepresentableContext<Representable> {
    public init() {}
  }
#endif
