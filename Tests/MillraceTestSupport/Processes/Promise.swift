internal import Glibc
package import MillraceSystem

/// What a process was promised when an append returned.
package struct Promise: Equatable, Sendable {
    /// What the promise covers.
    package enum Kind: UInt32, Sendable, CaseIterable {
        /// The death of any process.
        case appended
        /// Loss of power.
        case durable
        /// Nothing: a reader saw the batch.
        case seen
    }

    /// The sequence of the batch's first row, counted by its producer.
    package var first: UInt64
    /// The offset that the log gave to that row; `unknownOffset` when it did not say.
    package var baseOffset: UInt64
    /// Rows of the batch.
    package var rows: UInt32
    /// What was promised.
    package var kind: Kind
    /// CRC-32C of the rows' bytes, one after the other.
    package var checksum: UInt32

    /// The offset of a duplicate that the log acknowledged without telling where it is.
    package static let unknownOffset = UInt64.max

    package init(first: UInt64, baseOffset: UInt64, rows: UInt32, kind: Kind, checksum: UInt32) {
        self.first = first
        self.baseOffset = baseOffset
        self.rows = rows
        self.kind = kind
        self.checksum = checksum
    }

    static let byteCount = 32

    /// `first` u64, `baseOffset` u64, `rows` u32, `kind` u32, `checksum` u32, and the CRC-32C of
    /// these 28 bytes.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        func put(_ value: UInt64, _ width: Int) {
            for byte in 0..<width { bytes.append(UInt8(value >> UInt64(8 * byte) & 0xFF)) }
        }
        put(first, 8)
        put(baseOffset, 8)
        put(UInt64(rows), 4)
        put(UInt64(kind.rawValue), 4)
        put(UInt64(checksum), 4)
        put(UInt64(CRC32C.checksum(of: bytes.span)), 4)
        return bytes
    }

    init?(_ bytes: ArraySlice<UInt8>) {
        func number(_ at: Int, _ width: Int) -> UInt64 {
            (0..<width).reduce(0) {
                $0 | UInt64(bytes[bytes.startIndex + at + $1]) << UInt64(8 * $1)
            }
        }
        guard bytes.count == Self.byteCount,
            UInt64(CRC32C.checksum(of: Array(bytes.prefix(28)).span)) == number(28, 4),
            let kind = Kind(rawValue: UInt32(number(20, 4)))
        else { return nil }
        self.init(
            first: number(0, 8), baseOffset: number(8, 8), rows: UInt32(number(16, 4)), kind: kind,
            checksum: UInt32(number(24, 4)))
    }
}

/// A file that a process notes its acknowledgements in, and that outlives it.
package struct PromiseFile: ~Copyable {
    private let descriptor: Int32

    /// Opens the file for noting, at its end.
    package init(_ path: String) throws(SystemError) {
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC
        descriptor = unsafe open(path, flags, 0o644)
        guard descriptor >= 0 else {
            throw SystemError(operation: "open", path: path, errno: errno)
        }
    }

    deinit { close(descriptor) }

    /// Notes one acknowledgement, in one call to the kernel: it is there whole, or cut off.
    package func note(_ acknowledgement: Promise) throws(SystemError) {
        let bytes = acknowledgement.bytes
        guard unsafe write(descriptor, bytes, bytes.count) == bytes.count else {
            throw SystemError(operation: "write", path: "acknowledgements", errno: errno)
        }
    }

    /// How many acknowledgements are noted so far; 0 without a file.
    package static func count(_ path: String) throws(SystemError) -> Int {
        Files.exists(path) ? try Files.size(path) / Promise.byteCount : 0
    }

    /// The acknowledgements noted so far from record `start` on; one that was cut off is none.
    ///
    /// Nil when a whole record is damaged, which only a defect of the test can do.
    package static func read(
        _ path: String, from start: Int = 0
    ) throws(SystemError) -> [Promise]? {
        let bytes = try Files.read(path, maxBytes: 1 << 30)
        let size = Promise.byteCount
        var found: [Promise] = []
        for record in start..<max(start, bytes.count / size) {
            guard let next = Promise(bytes[record * size..<(record + 1) * size]) else {
                return nil
            }
            found.append(next)
        }
        return found
    }
}
