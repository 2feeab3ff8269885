/// Why text input cannot be read: which file, where in it, what was expected and what was found.
public struct InputError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure; more may be added.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The code's name, as scripts see it.
        public let rawValue: String

        /// A code by name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// There is no such file.
        public static let notFound = Code(rawValue: "not-found")
        /// The file cannot be opened or read.
        public static let unreadable = Code(rawValue: "unreadable")
        /// The compressed file ends before its last frame does.
        public static let truncatedFrame = Code(rawValue: "truncated-frame")
        /// The compressed file is damaged.
        public static let corruptFrame = Code(rawValue: "corrupt-frame")
        /// The file is compressed in a way that is not read.
        public static let unsupportedCompression = Code(rawValue: "unsupported-compression")
        /// The input ends before its last record does.
        public static let truncatedRecord = Code(rawValue: "truncated-record")
        /// The header line cannot be used.
        public static let invalidHeader = Code(rawValue: "invalid-header")
    }

    /// What kind of failure it is.
    public let code: Code
    /// The file's path; `-` is standard input.
    public let path: String
    /// The line, from 1, where one is concerned.
    public let line: Int?
    /// The byte position in the file as it is stored, where one is concerned.
    public let byte: Int?
    /// What had to be there.
    public let expected: String
    /// What was there instead.
    public let found: String

    /// Describes a failure.
    public init(
        _ code: Code, path: String, line: Int? = nil, byte: Int? = nil, expected: String,
        found: String
    ) {
        self.code = code
        self.path = path
        self.line = line
        self.byte = byte
        self.expected = expected
        self.found = found
    }

    /// The place, what was expected there and what was found.
    public var description: String {
        var place = path == "-" ? "standard input" : path
        if let line { place += ", line \(line)" }
        if let byte { place += ", byte \(byte)" }
        return "\(place): expected \(expected), found \(found)"
    }
}
