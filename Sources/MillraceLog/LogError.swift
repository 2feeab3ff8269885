public import MillraceSystem

/// Why the log refused: what, where, what was expected and found, and what to do.
public struct LogError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure, for programs to switch on.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code in words.
        public let description: String

        /// A name that is not allowed, or a configuration that makes no sense.
        public static let invalidArgument = Code(description: "invalid argument")
        /// The topic, partition or data directory does not exist.
        public static let notFound = Code(description: "not found")
        /// The topic exists already, with another configuration.
        public static let alreadyExists = Code(description: "already exists")
        /// The data was written by another version of the format.
        public static let unsupportedFormat = Code(description: "unsupported format")
        /// Bytes that do not match their checksum or break a rule of the format.
        public static let corrupt = Code(description: "corrupt data")
        /// The rows asked for are not in the log (any more, or yet).
        public static let offsetOutOfRange = Code(description: "offset out of range")
        /// Another process writes this partition.
        public static let busy = Code(description: "busy")
        /// Another instance of the same producer has taken over; this one must stop.
        public static let fenced = Code(description: "fenced")
        /// A sync has failed: nothing more is accepted, and nothing durable acknowledged.
        public static let poisoned = Code(description: "poisoned")
        /// A row or a batch is larger than the format allows.
        public static let tooLarge = Code(description: "too large")
        /// The operating system failed.
        public static let system = Code(description: "system error")
    }

    /// The kind of failure.
    public let code: Code
    /// What happened and what to do, in one or two sentences.
    public let message: String
    /// The file or directory concerned, where there is one.
    public let path: String?
    /// Where in the file, in bytes from its start.
    public let position: Int?
    /// What had to be there, where bytes did not hold.
    public private(set) var expected: String?
    /// What was there instead.
    public private(set) var found: String?
    /// The failure of the operating system behind this one.
    public let cause: SystemError?

    init(
        _ code: Code, _ message: String, path: String? = nil, position: Int? = nil,
        cause: SystemError? = nil
    ) {
        self.code = code
        self.message = message
        self.path = path
        self.position = position
        self.cause = cause
    }

    /// Wraps a failure of the operating system.
    package init(_ cause: SystemError, while doing: String) {
        self.init(.system, "\(doing): \(cause.reason)", path: cause.path, cause: cause)
    }

    /// Where it happened, what was expected and found, and what to do.
    public var description: String {
        var place = path.map { $0 + ": " } ?? ""
        if let position { place = (path ?? "") + ": byte \(position): " }
        return place + message
    }

    static func corrupt(
        _ path: String, at position: Int, expected: String, found: String
    ) -> LogError {
        var error = LogError(
            .corrupt,
            "corrupt data: expected \(expected), found \(found); nothing was repaired",
            path: path, position: position)
        error.expected = expected
        error.found = found
        return error
    }
}

/// Runs `body`, turning a failure of the operating system into a `LogError`.
func wrapping<R: ~Copyable>(
    _ doing: String, _ body: () throws(SystemError) -> R
) throws(LogError) -> R {
    do throws(SystemError) { return try body() } catch { throw LogError(error, while: doing) }
}
