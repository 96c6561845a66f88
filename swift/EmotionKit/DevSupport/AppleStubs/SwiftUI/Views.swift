public struct Image: StubPrimitive {
  private let note: String
  nonisolated public init(systemName: String) { note = "image \(systemName)" }
  nonisolated init(stubNote: String) { note = stubNote }
  public var stubNotes: [String] { [note] }
  public func resizable() -> Image { self }
}

public struct Spacer: StubPrimitive {
  public init() {}
}

public enum Alignment: Sendable { case top, bottom, leading, trailing, center }
public enum HorizontalAlignment: Sendable { case leading, center, trailing }
public enum VerticalAlignment: Sendable { case top, center, bottom }

public struct VStack: StubPrimitive {
  public let stubChildren: [any View]
  public init(
    alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil,
    @ViewBuilder content: () -> some View
  ) {
    stubChildren = [content()]
  }
}

public struct HStack: StubPrimitive {
  public let stubChildren: [any View]
  public init(
    alignment: VerticalAlignment = .center, spacing: CGFloat? = nil,
    @ViewBuilder content: () -> some View
  ) {
    stubChildren = [content()]
  }
}

public struct ZStack: StubPrimitive {
  public let stubChildren: [any View]
  public init(alignment: Alignment = .center, @ViewBuilder content: () -> some View) {
    stubChildren = [content()]
  }
}

public struct ScrollView: StubPrimitive {
  public let stubChildren: [any View]
  public init(@ViewBuilder content: () -> some View) { stubChildren = [content()] }
}

public struct List: StubPrimitive {
  public let stubChildren: [any View]
  public init(@ViewBuilder content: () -> some View) { stubChildren = [content()] }
}

public struct Section: StubPrimitive {
  public let stubNotes: [String]
  public let stubChildren: [any View]
  public init(_ titleKey: LocalizedStringKey, @ViewBuilder content: () -> some View) {
    stubNotes = [titleKey.stubText]
    stubChildren = [content()]
  }
}

public struct TabView: StubPrimitive {
  public let stubChildren: [any View]
  public init(@ViewBuilder content: () -> some View) { stubChildren = [content()] }
}

public struct NavigationStack: StubPrimitive {
  public let stubChildren: [any View]
  public init(@ViewBuilder root: () -> some View) { stubChildren = [root()] }
}

public struct ForEach: StubPrimitive {
  public let stubChildren: [any View]
  public init<Items: RandomAccessCollection, ID: Hashable>(
    _ items: Items, id: KeyPath<Items.Element, ID>,
    @ViewBuilder content: (Items.Element) -> some View
  ) {
    stubChildren = items.map { content($0) }
  }
}

public struct GeometryProxy: Sendable {
  public let size: CGSize
}

/// Always 360 x 640 points.
public struct GeometryReader: StubPrimitive {
  public let stubChildren: [any View]
  public init(@ViewBuilder content: (GeometryProxy) -> some View) {
    stubChildren = [content(GeometryProxy(size: CGSize(width: 360, height: 640)))]
  }
}

public struct TimelineView: StubPrimitive {
  public struct Context { public let date: Date }
  public struct Schedule {
    public static func periodic(from start: Date, by interval: TimeInterval) -> Schedule { .init() }
  }
  public let stubChildren: [any View]
  public init(_ schedule: Schedule, @ViewBuilder content: (Context) -> some View) {
    stubChildren = [content(Context(date: .distantPast))]
  }
}

public struct Color: StubPrimitive, ShapeStyle {
  public static let black = Color()
  public static let gray = Color()
  public static let green = Color()
  public static let white = Color()
}

public protocol ShapeStyle: Sendable {}
public struct Material: ShapeStyle {}
extension ShapeStyle where Self == Material {
  public static var thinMaterial: Material { Material() }
  public static var regularMaterial: Material { Material() }
}
public struct HierarchicalShapeStyle: ShapeStyle {}
extension ShapeStyle where Self == HierarchicalShapeStyle {
  public static var secondary: HierarchicalShapeStyle { .init() }
}

public struct StrokeStyle: Sendable {
  public init(lineWidth: CGFloat = 1, dash: [CGFloat] = []) {}
}

@MainActor public protocol Shape: StubPrimitive {}
extension Shape {
  public func stroke(_ style: some ShapeStyle, style stroke: StrokeStyle) -> some View { self }
  public func fill(_ style: some ShapeStyle) -> some View { self }
}
public struct RoundedRectangle: Shape {
  public init(cornerRadius: CGFloat) {}
}
public struct Capsule: Shape {
  public init() {}
}

public struct Font: Sendable {
  public enum TextStyle: Sendable { case caption, body, headline, largeTitle }
  public static let caption = Font()
  public static let callout = Font()
  public static let footnote = Font()
  public static let headline = Font()
  public static let subheadline = Font()
  public static let largeTitle = Font()
  public func bold() -> Font { self }
}

@MainActor @preconcurrency public protocol App {
  associatedtype Body: Scene
  @MainActor var body: Body { get }
  init()
}
extension App {
  public static func main() { _ = Self().body }
}
@MainActor @preconcurrency public protocol Scene {}
public struct WindowGroup: Scene {
  /// Stub only.
  public let stubContent: any View
  public init(@ViewBuilder content: () -> some View) { stubContent = content() }
}
