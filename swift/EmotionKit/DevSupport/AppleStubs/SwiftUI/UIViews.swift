#if canImport(UIKit)
  import UIKit

  extension Image {
    nonisolated public init(uiImage: UIImage) { self.init(stubNote: "picture") }
  }

  @MainActor @preconcurrency public protocol UIViewRepresentable: StubPrimitive {
    associatedtype UIViewType: UIView
    typealias Context = UIViewRepresentableContext<Self>
    func makeUIView(context: Context) -> UIViewType
    func updateUIView(_ view: UIViewType, context: Context)
  }

  @MainActor public struct UIViewRepresentableContext<Representable> {
    public init() {}
  }

  extension UIViewRepresentable {
    /// The stub makes and updates the view, so that both are run.
    public var stubNotes: [String] {
      let view = makeUIView(context: Context())
      updateUIView(view, context: Context())
      view.layoutSubviews()
      return ["\(type(of: view))"]
    }
  }
#endif
