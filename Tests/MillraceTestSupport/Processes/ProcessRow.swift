internal import MillraceSystem

/// A row that says who wrote it, as which of its rows, in which batch.
///
/// Its bytes follow from these four numbers, so that whoever reads it can tell every change.
package struct ProcessRow: Equatable, Sendable {
    /// The process that wrote the row: a number that no two processes share.
    package var producer: UInt32
    /// How many rows the process wrote before.
    package var sequence: UInt64
    /// The sequence of the first row of the batch.
    package var first: UInt64
    /// Rows in the batch.
    package var rows: UInt32

    private static let magic: UInt32 = 0x574F_524D
    private static let headerBytes = 32
    private static let maxBodyBytes: UInt64 = 96

    package init(producer: UInt32, sequence: UInt64, first: UInt64, rows: UInt32) {
        self.producer = producer
        self.sequence = sequence
        self.first = first
        self.rows = rows
    }

    /// The row that these bytes are, to the last bit; nil when they are no row.
    package init?(_ bytes: Span<UInt8>) {
        guard bytes.count >= Self.headerBytes, Self.number(bytes, 0, 4) == Self.magic else {
            return nil
        }
        producer = UInt32(Self.number(bytes, 4, 4))
        sequence = Self.number(bytes, 8, 8)
        first = Self.number(bytes, 16, 8)
        rows = UInt32(Self.number(bytes, 24, 4))
        let expected = self.bytes
        guard expected.count == bytes.count else { return nil }
        for index in bytes.indices where bytes[index] != expected[index] { return nil }
    }

    /// The row's bytes: the numbers, little-endian, and 0 to 95 bytes, every second one random.
    package var bytes: [UInt8] {
        var random = SplitMix64(seed: UInt64(producer) << 40 ^ sequence)
        let count = Int(random.next() % Self.maxBodyBytes)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headerBytes + count)
        func put(_ value: UInt64, _ width: Int) {
            for byte in 0..<width { bytes.append(UInt8(value >> UInt64(8 * byte) & 0xFF)) }
        }
        put(UInt64(Self.magic), 4)
        put(UInt64(producer), 4)
        put(sequence, 8)
        put(first, 8)
        put(UInt64(rows), 4)
        put(UInt64(count), 4)
        for index in 0..<count { bytes.append(index % 2 == 0 ? 0x61 : UInt8(random.next() & 0xFF)) }
        return bytes
    }

    private static func number(_ bytes: Span<UInt8>, _ at: Int, _ width: Int) -> UInt64 {
        (0..<width).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
    }
}
