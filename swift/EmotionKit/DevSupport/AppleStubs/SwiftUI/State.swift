public protocol ObservableObject: AnyObject {}

/// Only for properties of a class: a struct has no instance to tell of the change.
@propertyWrapper public struct Published<Value> {
  private var value: Value
  public init(wrappedValue: Value) { value = wrappedValue }

  @available(*, unavailable, message: "@Published is only available on properties of classes")
  public var wrappedValue: Value {
    get { fatalError("never called") }
    set { fatalError("never called") }
  }

  public static subscript<Owner: AnyObject>(
    _enclosingInstance owner: Owner,
    wrapped wrappedPath: ReferenceWritableKeyPath<Owner, Value>,
    storage storagePath: ReferenceWritableKeyPath<Owner, Published<Value>>
  ) -> Value {
    get { owner[keyPath: storagePath].value }
    set { owner[keyPath: storagePath].value = newValue }
  }
}

public final class StubBox<Value> {
  var value: Value
  init(_ value: Value) { self.value = value }
}

// Not bound to the main actor: only what reads it, a view's body, is.
@propertyWrapper public struct State<Value> {
  private let box: StubBox<Value>
  public init(wrappedValue: Value) { box = StubBox(wrappedValue) }
  public var wrappedValue: Value {
    get { box.value }
    nonmutating set { box.value = newValue }
  }
  public var projectedValue: Binding<Value> {
    Binding(get: { box.value }, set: { box.value = $0 })
  }
}

extension State: @unchecked Sendable where Value: Sendable {}

extension State where Value: ExpressibleByNilLiteral {
  public init() { self.init(wrappedValue: nil) }
}

@propertyWrapper public struct Binding<Value> {
  private let get: () -> Value
  private let set: (Value) -> Void
  // Apple's public one takes `@isolated(any) @Sendable` closures, which nobody here needs.
  init(get: @escaping () -> Value, set: @escaping (Value) -> Void) {
    self.get = get
    self.set = set
  }
  public static func constant(_ value: Value) -> Binding { Binding(get: { value }, set: { _ in }) }
  public var wrappedValue: Value {
    get { get() }
    nonmutating set { set(newValue) }
  }
  public var projectedValue: Binding<Value> { self }
}

extension Binding: @unchecked Sendable where Value: Sendable {}

@propertyWrapper public final class StateObject<Object: ObservableObject> {
  private let make: () -> Object
  private lazy var object = make()
  public init(wrappedValue make: @autoclosure @escaping () -> Object) { self.make = make }
  @MainActor @preconcurrency public var wrappedValue: Object { object }
}

@MainActor @preconcurrency @propertyWrapper public struct ObservedObject<Object: ObservableObject> {
  public let wrappedValue: Object
  public init(wrappedValue: Object) { self.wrappedValue = wrappedValue }
}

@MainActor @preconcurrency @propertyWrapper public struct Environment<Value> {
  private let path: KeyPath<EnvironmentValues, Value>
  public init(_ path: KeyPath<EnvironmentValues, Value>) { self.path = path }
  public var wrappedValue: Value { EnvironmentValues.stubCurrent[keyPath: path] }
}

@MainActor @preconcurrency @propertyWrapper
public struct ScaledMetric<Value: BinaryFloatingPoint> {
  public let wrappedValue: Value
  public init(wrappedValue: Value, relativeTo style: Font.TextStyle) {
    self.wrappedValue = wrappedValue
  }
}

public enum DynamicTypeSize: Int, Sendable {
  case large, accessibility1, accessibility3
  public var isAccessibilitySize: Bool { self != .large }
}

public struct OpenURLAction {
  @MainActor public func callAsFunction(_ url: URL) {
    EnvironmentValues.stubOpened.append(url)
  }
}

public enum ScenePhase: Sendable { case background, inactive, active }

public struct EnvironmentValues {
  /// Stub only: what every `@Environment` reads.
  @MainActor public static var stubCurrent = EnvironmentValues()
  /// Stub only: what `openURL` was asked to open.
  @MainActor public static var stubOpened: [URL] = []

  public init() {}
  public var dynamicTypeSize = DynamicTypeSize.large
  public var accessibilityReduceMotion = false
  public var scenePhase = ScenePhase.active
  public var openURL = OpenURLAction()
}
