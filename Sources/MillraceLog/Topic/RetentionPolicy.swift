/// When old rows are removed, a whole segment at a time.
///
/// A segment is removed when the rows behind it are enough, or when its newest row is too old. The newest
/// segment stays, unless it is too old as a whole: then it is closed first. What producers and
/// stages need to know of removed batches (their newest sequence and position) is written anew at
/// the end of the log before they go. It is looked for what is to go when a segment is begun and,
/// where rows expire by age, when a writer is opened, at least every eighth of the age (a second to a minute)
/// while one lives, when the command-line tool opens the topic, and by `Topic.applyRetention()`. A reader that is in a removed segment reads on to its end.
public struct RetentionPolicy: Sendable, Codable, Equatable {
    /// Bytes of batches that each partition keeps at least; nil for no such limit.
    public var bytes: Int?
    /// Age in milliseconds up to which rows are kept; nil for no such limit.
    public var milliseconds: Int?
    /// Bytes that a partition may grow to while a reader that holds rows has not read them; nil when
    /// no reader is waited for.
    ///
    /// Beyond this the rows are removed all the same, and the reader finds them out of range.
    public var heldBytes: Int?

    /// Keeps everything.
    public static let keep = RetentionPolicy()

    /// A policy; it is checked when a topic is created or altered with it.
    public init(bytes: Int? = nil, milliseconds: Int? = nil, heldBytes: Int? = nil) {
        self.bytes = bytes
        self.milliseconds = milliseconds
        self.heldBytes = heldBytes
    }

    /// Whether rows are ever removed.
    public var isActive: Bool { bytes != nil || milliseconds != nil }

    func validate() throws(LogError) {
        // Ages are compared in nanoseconds, which 64 bits must hold.
        for (value, what, bits) in [
            (bytes, "retained bytes", 50), (milliseconds, "retained milliseconds", 42),
            (heldBytes, "held bytes", 50),
        ] {
            guard let value, !(1...1 << bits).contains(value) else { continue }
            throw LogError(.invalidArgument, "\(what) are 1 to 2^\(bits), not \(value)")
        }
    }
}
