/// Why a feature definition or specification cannot be used: what, where, and what to do.
public struct FeatureError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure; more may be added.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The code's name, as scripts see it.
        public let rawValue: String

        /// A code by name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A column is named that the header does not have.
        public static let unknownColumn = Code(rawValue: "unknown-column")
        /// A definition cannot be carried out: a limit, edge, period or list makes no sense.
        public static let invalidDefinition = Code(rawValue: "invalid-definition")
        /// A stored specification is not what this program writes.
        public static let malformedSpecification = Code(rawValue: "malformed-specification")
        /// A stored specification is of another format version.
        public static let unsupportedVersion = Code(rawValue: "unsupported-version")
    }

    /// What kind of failure it is.
    public let code: Code
    /// Where in the definition or document: a path such as `features[3]`, or empty.
    public let location: String
    /// What was wrong and what to do about it.
    public let message: String

    /// Describes a failure.
    public init(_ code: Code, at location: String, _ message: String) {
        self.code = code
        self.location = location
        self.message = message
    }

    /// The place and what was wrong there.
    public var description: String { location.isEmpty ? message : "\(location): \(message)" }
}
