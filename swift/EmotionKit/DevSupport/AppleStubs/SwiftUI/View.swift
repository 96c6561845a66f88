@_exported import Foundation

@MainActor @preconcurrency public protocol View {
  associatedtype Body: View
  @ViewBuilder @MainActor @preconcurrency var body: Body { get }
}

extension Never: View {
  public var body: Never { fatalError("a primitive view has no body") }
}

/// Stub only: a view that the stub draws itself, as a list of notes and the views inside it.
@MainActor public protocol StubPrimitive: View where Body == Never {
  var stubNotes: [String] { get }
  var stubChildren: [any View] { get }
}

extension StubPrimitive {
  public var body: Never { fatalError("a primitive view has no body") }
  public var stubNotes: [String] { [] }
  public var stubChildren: [any View] { [] }
}

/// Stub only: evaluates a view's body and everything below, and lists what a person would read or
/// hear. Layout, state changes over time and drawing are not pretended.
@MainActor public enum StubRenderer {
  public static func notes(of view: any View) -> [String] {
    if let primitive = view as? any StubPrimitive {
      return primitive.stubNotes + primitive.stubChildren.flatMap(notes)
    }
    return notes(ofBody: view)
  }

  private static func notes<V: View>(ofBody view: V) -> [String] { notes(of: view.body) }

  /// Stub only: tasks, button actions and sheets that were found on the way, by what they are for.
  public static func actions(of view: any View) -> [StubAction] {
    if let action = view as? StubAction {
      return [action] + action.stubChildren.flatMap(actions)
    }
    if let primitive = view as? any StubPrimitive {
      return primitive.stubChildren.flatMap(actions)
    }
    return actions(ofBody: view)
  }

  private static func actions<V: View>(ofBody view: V) -> [StubAction] { actions(of: view.body) }
}

/// Stub only: something a person or the system can set off.
public struct StubAction: StubPrimitive {
  public let name: String
  public let run: @MainActor () async -> Void
  public let stubChildren: [any View]
}

public struct StubModified: StubPrimitive {
  public let stubNotes: [String]
  public let stubChildren: [any View]
}

public struct EmptyView: StubPrimitive {
  nonisolated public init() {}
}

public struct TupleView: StubPrimitive {
  // `ViewBuilder` is not isolated (as in Apple's interface), so it makes this wherever it is called; set once.
  nonisolated(unsafe) public let stubChildren: [any View]
  nonisolated init(stubChildren: [any View]) { self.stubChildren = stubChildren }
}

extension Optional: View where Wrapped: View {
  public typealias Body = Never
  public var body: Never { fatalError("a primitive view has no body") }
}

extension Optional: StubPrimitive where Wrapped: View {
  public var stubNotes: [String] { [] }
  public var stubChildren: [any View] { map { [$0] } ?? [] }
}

public enum ConditionalContent<First: View, Second: View>: StubPrimitive {
  case first(First)
  case second(Second)
  public var stubNotes: [String] { [] }
  public var stubChildren: [any View] {
    switch self {
    case .first(let view): [view]
    case .second(let view): [view]
    }
  }
}

@resultBuilder public enum ViewBuilder {
  public static func buildExpression<V: View>(_ view: V) -> V { view }
  public static func buildBlock() -> EmptyView { EmptyView() }
  public static func buildBlock<V: View>(_ view: V) -> V { view }
  public static func buildBlock<each V: View>(_ views: repeat each V) -> TupleView {
    var children: [any View] = []
    repeat children.append(each views)
    return TupleView(stubChildren: children)
  }
  public static func buildIf<V: View>(_ view: V?) -> V? { view }
  public static func buildEither<A: View, B: View>(first: A) -> ConditionalContent<A, B> {
    .first(first)
  }
  public static func buildEither<A: View, B: View>(second: B) -> ConditionalContent<A, B> {
    .second(second)
  }
  public static func buildLimitedAvailability<V: View>(_ view: V) -> V { view }
}

@MainActor @preconcurrency public protocol PreviewProvider {
  associatedtype Previews: View
  @ViewBuilder @MainActor @preconcurrency static var previews: Previews { get }
}
