import UniformTypeIdentifiers

public struct ViewDimensions {
  public subscript(guide: VerticalAlignment) -> CGFloat { 0 }
}
public struct Animation: Sendable {
  public static func linear(duration: Double) -> Animation { .init() }
}
public struct AccessibilityTraits: Sendable {
  public static let updatesFrequently = AccessibilityTraits()
  public static let isHeader = AccessibilityTraits()
}
public enum AccessibilityChildBehavior: Sendable { case ignore, combine, contain }
public enum TextAlignment: Sendable { case leading, center, trailing }
public enum ContentMode: Sendable { case fit, fill }

@MainActor @preconcurrency public protocol PrimitiveButtonStyle {}
public struct BorderedProminentButtonStyle: PrimitiveButtonStyle {}
public struct BorderedButtonStyle: PrimitiveButtonStyle {}
extension PrimitiveButtonStyle where Self == BorderedProminentButtonStyle {
  @MainActor @preconcurrency public static var borderedProminent: Self { .init() }
}
extension PrimitiveButtonStyle where Self == BorderedButtonStyle {
  @MainActor @preconcurrency public static var bordered: Self { .init() }
}

extension View {
  func stub(_ notes: String..., and children: [any View] = []) -> some View {
    StubModified(stubNotes: notes, stubChildren: [self] + children)
  }

  // Layout and look: nothing a person would read.
  public func frame(
    width: CGFloat? = nil, height: CGFloat? = nil, alignment: Alignment = .center
  ) -> some View { self }
  public func frame(
    maxWidth: CGFloat? = nil, maxHeight: CGFloat? = nil, alignment: Alignment = .center
  ) -> some View { self }
  public func position(x: CGFloat = 0, y: CGFloat = 0) -> some View { self }
  public func padding(_ length: CGFloat? = nil) -> some View { self }
  public func font(_ font: Font?) -> some View { self }
  public func lineLimit(_ number: Int?) -> some View { self }
  public func minimumScaleFactor(_ factor: CGFloat) -> some View { self }
  public func multilineTextAlignment(_ alignment: TextAlignment) -> some View { self }
  public func fixedSize() -> some View { self }
  public func clipped() -> some View { self }
  public func ignoresSafeArea() -> some View { self }
  public func scaledToFit() -> some View { self }
  public func aspectRatio(_ ratio: CGFloat? = nil, contentMode: ContentMode) -> some View { self }
  public func foregroundStyle(_ style: some ShapeStyle) -> some View { self }
  public func background(_ style: some ShapeStyle, in shape: some Shape) -> some View { self }
  public func animation(_ animation: Animation?, value: some Equatable) -> some View { self }
  public func allowsHitTesting(_ enabled: Bool) -> some View { self }
  public func buttonStyle(_ style: some PrimitiveButtonStyle) -> some View { self }
  public func disabled(_ disabled: Bool) -> some View { self }
  public func alignmentGuide(
    _ guide: VerticalAlignment, computeValue: @escaping (ViewDimensions) -> CGFloat
  ) -> some View { self }
  public func environment<Value>(
    _ path: WritableKeyPath<EnvironmentValues, Value>, _ value: Value
  ) -> some View { self }
  public func previewDisplayName(_ name: String?) -> some View { self }

  // What adds content.
  public func overlay(
    alignment: Alignment = .center, @ViewBuilder content: () -> some View
  ) -> some View { stub(and: [content()]) }
  public func navigationTitle(_ titleKey: LocalizedStringKey) -> some View {
    stub(titleKey.stubText)
  }
  @_disfavoredOverload public func navigationTitle(_ title: some StringProtocol) -> some View {
    stub(String(title))
  }
  public func tabItem(@ViewBuilder _ label: () -> some View) -> some View { stub(and: [label()]) }
  public func toolbar(@ViewBuilder content: () -> some View) -> some View {
    stub(and: [content()])
  }

  // What VoiceOver says.
  public func accessibilityElement(
    children: AccessibilityChildBehavior = .ignore
  ) -> some View { self }
  public func accessibilityLabel(_ labelKey: LocalizedStringKey) -> some View {
    stub("says \(labelKey.stubText)")
  }
  @_disfavoredOverload public func accessibilityLabel(_ label: some StringProtocol) -> some View {
    stub("says \(label)")
  }
  public func accessibilityValue(_ valueKey: LocalizedStringKey) -> some View {
    stub("value \(valueKey.stubText)")
  }
  @_disfavoredOverload public func accessibilityValue(_ value: some StringProtocol) -> some View {
    stub("value \(value)")
  }
  public func accessibilityHidden(_ hidden: Bool) -> some View { self }
  public func accessibilityAddTraits(_ traits: AccessibilityTraits) -> some View { self }

  // What runs.
  public func task(
    priority: TaskPriority = .userInitiated,
    @_inheritActorContext _ action: @escaping @Sendable () async -> Void
  ) -> some View {
    StubAction(name: "task", run: action, stubChildren: [self])
  }
  public func task(
    id: some Equatable, priority: TaskPriority = .userInitiated,
    @_inheritActorContext _ action: @escaping @Sendable () async -> Void
  ) -> some View {
    StubAction(name: "task", run: action, stubChildren: [self])
  }
  public func onChange<Value: Equatable>(
    of value: Value, perform action: @escaping @MainActor (Value) -> Void
  ) -> some View { self }
  public func fileImporter(
    isPresented: Binding<Bool>, allowedContentTypes: [UTType],
    onCompletion: @escaping (Result<URL, any Error>) -> Void
  ) -> some View { self }
  public func onDisappear(perform action: (@MainActor () -> Void)? = nil) -> some View { self }
}
