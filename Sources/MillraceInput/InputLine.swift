/// Where a line stands in its input.
///
/// Its text is `LineReader.text`.
public struct InputLine: Sendable, Equatable {
    /// The line's number, from 1.
    public let number: Int
    /// The position of the line's first byte in the decoded text.
    public let begin: Int
    /// The position after the line's last byte, its newline included: where the next line begins.
    public let end: Int
    /// Whether the line was longer than the reader's limit.
    ///
    /// Its text was not kept.
    public let isTooLong: Bool

    /// How many bytes of decoded text the line takes, its newline included.
    public var byteCount: Int { end - begin }
}
