import Foundation

/// What a literal is where SwiftUI shows a text: a key to look up, and not a `String`.
public struct LocalizedStringKey: Equatable, ExpressibleByStringInterpolation {
  let stubText: String
  public init(_ value: String) { stubText = value }
  public init(stringLiteral value: String) { stubText = value }
  public init(stringInterpolation: StringInterpolation) { stubText = stringInterpolation.text }

  public struct StringInterpolation: StringInterpolationProtocol {
    var text = ""
    public init(literalCapacity: Int, interpolationCount: Int) {}
    public mutating func appendLiteral(_ literal: String) { text += literal }
    public mutating func appendInterpolation(_ string: String) { text += string }
    /// A number: anything else has no place in a format.
    public mutating func appendInterpolation(_ value: some BinaryInteger) { text += "\(value)" }
  }
}

// Conforms to `Sendable` only from iOS 18's SDK on.
@available(*, unavailable)
extension LocalizedStringKey: Sendable {}

public struct Text: StubPrimitive, Sendable {
  private let text: String
  nonisolated public init(verbatim content: String) { text = content }
  @_disfavoredOverload nonisolated public init(_ content: some StringProtocol) {
    text = String(content)
  }
  nonisolated public init(
    _ key: LocalizedStringKey, tableName: String? = nil, bundle: Bundle? = nil,
    comment: StaticString? = nil
  ) { text = key.stubText }
  public var stubNotes: [String] { [text] }
  nonisolated public func font(_ font: Font?) -> Text { self }
  nonisolated public func monospacedDigit() -> Text { self }
}

public struct Label: StubPrimitive {
  private let text: String
  nonisolated public init(_ titleKey: LocalizedStringKey, systemImage name: String) {
    text = titleKey.stubText
  }
  @_disfavoredOverload nonisolated public init(_ title: some StringProtocol, systemImage: String) {
    text = String(title)
  }
  public var stubNotes: [String] { [text] }
}

public struct Button: StubPrimitive {
  private let title: [any View]
  private let action: @MainActor () -> Void
  public init(_ titleKey: LocalizedStringKey, action: @escaping @MainActor () -> Void) {
    title = [Text(titleKey)]
    self.action = action
  }
  @_disfavoredOverload
  public init(_ title: some StringProtocol, action: @escaping @MainActor () -> Void) {
    self.title = [Text(title)]
    self.action = action
  }
  public init(
    action: @escaping @MainActor () -> Void, @ViewBuilder label: () -> some View
  ) {
    title = [label()]
    self.action = action
  }
  public var stubChildren: [any View] {
    let name = title.flatMap { StubRenderer.notes(of: $0) }.joined(separator: " ")
    return [StubAction(name: name, run: { [action] in action() }, stubChildren: title)]
  }
}

public struct ProgressView: StubPrimitive {
  private let text: String
  public init() { text = "progress" }
  public init(_ titleKey: LocalizedStringKey) { text = titleKey.stubText }
  @_disfavoredOverload public init(_ title: some StringProtocol) { text = String(title) }
  public init(value: Double?, total: Double = 1) { text = "progress \(value ?? 0)" }
  public var stubNotes: [String] { [text] }
}
