public struct UTType: Hashable, Sendable {
  let identifier: String
  public static let movie = UTType(identifier: "public.movie")
  public static let image = UTType(identifier: "public.image")
}
