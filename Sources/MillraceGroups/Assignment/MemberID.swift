/// The name of one member of a consumer group; unique within the group.
///
/// Members are ordered by name, and every assignor breaks ties by that order, so that all who compute
/// an assignment from the same facts arrive at the same one.
public struct MemberID: Sendable, Hashable {
    /// The name as the member gave it.
    public let name: String

    /// A member called `name`.
    public init(_ name: String) { self.name = name }
}

extension MemberID: Comparable {
    /// Orders members by name.
    public static func < (left: MemberID, right: MemberID) -> Bool { left.name < right.name }
}

extension MemberID: CustomStringConvertible {
    /// The name.
    public var description: String { name }
}

extension MemberID: ExpressibleByStringLiteral {
    /// A member called as the literal says.
    public init(stringLiteral name: String) { self.init(name) }
}
