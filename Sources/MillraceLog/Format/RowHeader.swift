/// A name and bytes that a producer attaches to a row, as Kafka's record headers.
public struct RowHeader: Sendable, Equatable {
    /// What the bytes are; names may repeat.
    public var name: String
    /// Any bytes.
    public var value: [UInt8]

    /// A header.
    public init(_ name: String, _ value: [UInt8]) {
        self.name = name
        self.value = value
    }

    /// Bytes before the name: u16 name length, u32 value length.
    static let prefixBytes = 6
}

/// Walks the headers of one row, in the order in which they were attached.
///
/// Call `next()`, then use `name` and `value`. It lives no longer than its batch.
public struct RowHeaderCursor: ~Escapable {
    private let bytes: RawSpan
    private var start = 0
    private var end = 0

    /// `bytes` are one row's headers, checked when the batch was decoded.
    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { self.bytes = bytes }

    /// Goes to the next header; false behind the last.
    @_lifetime(self: copy self)
    public mutating func next() -> Bool {
        guard end < bytes.byteCount else { return false }
        start = end
        end = valueStart + Int(bytes.load(start + 2, as: UInt32.self))
        return true
    }

    private var nameStart: Int { start + RowHeader.prefixBytes }
    private var valueStart: Int { nameStart + Int(bytes.load(start, as: UInt16.self)) }

    /// Name of the header, valid UTF-8.
    ///
    /// Traps before the first call of `next()`.
    public var name: Span<UInt8> {
        @_lifetime(copy self)
        get { bytes.elements(nameStart..<valueStart, as: UInt8.self) }
    }

    /// Value of the header.
    ///
    /// Traps before the first call of `next()`.
    public var value: Span<UInt8> {
        @_lifetime(copy self)
        get { bytes.elements(valueStart..<end, as: UInt8.self) }
    }
}
