/// The name of a topic or stage where another part of the pipeline refers to it.
///
/// Two references are equal when they name the same thing, wherever they were written.
public struct Reference: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The name referred to.
    public var name: String
    /// Where the reference was written; nil in a definition built in code.
    public var position: SourcePosition?

    /// Creates a reference.
    public init(_ name: String, position: SourcePosition? = nil) {
        self.name = name
        self.position = position
    }

    /// Creates a reference without a position.
    public init(stringLiteral value: String) {
        self.init(value)
    }

    /// The name.
    public var description: String { name }

    /// Whether two references name the same thing.
    public static func == (left: Self, right: Self) -> Bool { left.name == right.name }

    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
