public protocol ObservableObject: AnyObject {}

@propertyWrapper public struct Published<Value> {
  public var wrappedValue: Value
  public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
}

public final class StubBox<Value> {
  var value: Value
  init(_ value: Value) { self.value = value }
}

@MainActor @preconcurrency @propertyWrapper public struct State<Value> {
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

extension State where Value: ExpressibleByNilLiteral {
  public init() { self.init(wrappedValue: nil) }
}

@MainActor @preconcurrency @propertyWrapper public struct Binding<Value> {
  private let get: () -> Value
  private let set: (Value) -> Void
  public init(get: @escaping () -> Value, set: @escaping (Value) -> Void) {
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

@MainActor @preconcurrency @propertyWrapper
public final class StateObject<Object: ObservableObject> {
  private let make: () -> Object
  private lazy var object = make()
  public init(wrappedValue make: @autoclosure @escaping () -> Object) { self.make = make }
  public var wrappedValue: Object { object }
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
