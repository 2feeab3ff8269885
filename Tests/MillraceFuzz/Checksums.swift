import MillraceSystem

/// The places of the format's checksums, to make them fit bytes that were changed.
///
/// Written from the format's tables alone, so that the program is not checked against itself.
enum Checksums {
    static let segmentHeaderBytes = 128
    static let batchHeaderBytes = [128, 256]
    private static let batchMagic: UInt64 = 0x4252_4C4D

    static func number(_ bytes: [UInt8], _ at: Int, _ width: Int) -> UInt64 {
        (0..<width).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
    }

    private static func put(_ value: UInt32, _ at: Int, _ bytes: inout [UInt8]) {
        for byte in 0..<4 { bytes[at + byte] = UInt8(value >> UInt32(8 * byte) & 0xFF) }
    }

    static func checksum(_ bytes: [UInt8], _ range: Range<Int>) -> UInt32 {
        CRC32C.checksum(of: Array(bytes[range]).span)
    }

    /// Makes the checksums of the target's structures right.
    static func fix(_ bytes: inout [UInt8], _ target: Target) {
        switch target {
        case .batch: fixBatches(&bytes)
        case .segment:
            guard bytes.count >= segmentHeaderBytes else { return }
            put(checksum(bytes, 16..<segmentHeaderBytes), 12, &bytes)
        case .control:
            guard bytes.count >= 32 else { return }
            put(checksum(bytes, 16..<32), 12, &bytes)
            fixWords(&bytes)
        case .dictionary: fixRecords(&bytes)
        case .index: fixIndex(&bytes)
        case .description, .directory: break
        }
    }

    /// Bytes of the control page at which a word with a check stands.
    private static let checkedWords = [64, 128, 192, 448, 512, 640, 768, 832, 896]

    /// CRC-8, polynomial 0x2F, of the lower 56 bits, in the upper 8.
    private static func fixWords(_ bytes: inout [UInt8]) {
        for word in checkedWords where word + 8 <= bytes.count {
            var crc: UInt8 = 0xFF
            for byte in (word..<word + 7).reversed() {
                crc ^= bytes[byte]
                for _ in 0..<8 { crc = crc & 0x80 == 0 ? crc << 1 : crc << 1 ^ 0x2F }
            }
            bytes[word + 7] = crc
        }
    }

    private static let indexHeaderBytes = 64
    private static let slotBytes = 32

    /// The header of an index, and its slots: each continues from the header's identity and the
    /// slot's number.
    private static func fixIndex(_ bytes: inout [UInt8]) {
        guard bytes.count >= indexHeaderBytes else { return }
        put(checksum(bytes, 16..<indexHeaderBytes), 12, &bytes)
        let seed = checksum(bytes, 16..<40)
        for slot in 0..<(bytes.count - indexHeaderBytes) / slotBytes {
            let start = indexHeaderBytes + slot * slotBytes
            let content = Array(bytes[start..<start + 28])
            let check = CRC32C.checksum(of: content.span, seed: seed ^ UInt32(slot))
            put(check, start + 28, &bytes)
        }
    }

    /// The batches of a segment that can be found by their lengths: start, header, stored bytes.
    static func batches(_ bytes: [UInt8]) -> [(start: Int, header: Int, stored: Int)] {
        var found: [(start: Int, header: Int, stored: Int)] = []
        var start = segmentHeaderBytes
        while start + 128 <= bytes.count {
            let header = Int(number(bytes, start + 6, 2))
            let stored = Int(clamping: number(bytes, start + 48, 8))
            let whole = Int(clamping: number(bytes, start + 24, 8))
            guard number(bytes, start, 4) == batchMagic, batchHeaderBytes.contains(header),
                start + header <= bytes.count
            else { break }
            found.append((start, header, min(stored, bytes.count - start - header)))
            guard whole > 0, whole % 64 == 0, whole < bytes.count else { break }
            start += whole
        }
        return found
    }

    private static func fixBatches(_ bytes: inout [UInt8]) {
        for (start, header, stored) in batches(bytes) {
            let payload = start + header
            put(checksum(bytes, payload..<payload + stored), start + 12, &bytes)
            put(checksum(bytes, start + 12..<start + header), start + 8, &bytes)
        }
    }

    private static func fixRecords(_ bytes: inout [UInt8]) {
        var start = 0
        while start + 16 <= bytes.count {
            let length = Int(number(bytes, start, 4))
            let end = start + 16 + (length + 15) / 16 * 16
            if length > 0, end <= bytes.count {
                put(checksum(bytes, start + 16..<end), start + 4, &bytes)
            }
            put(checksum(bytes, start..<start + 12), start + 12, &bytes)
            guard length > 0, end < bytes.count else { return }
            start = end
        }
    }

    /// Whether a segment holds a batch with checksums that fit which the intact segment does not
    /// hold at that place.
    ///
    /// A fuzzer that watches comparisons learns to forge checksums; what it says with them is true
    /// as far as anybody can tell.
    static func isForged(_ bytes: [UInt8], intact: [UInt8]) -> Bool {
        for start in stride(from: segmentHeaderBytes, to: bytes.count - 127, by: 64) {
            let header = Int(number(bytes, start + 6, 2))
            guard number(bytes, start, 4) == batchMagic, batchHeaderBytes.contains(header),
                start + header <= bytes.count,
                number(bytes, start + 8, 4)
                    == UInt64(checksum(bytes, start + 12..<start + header))
            else { continue }
            let end = start + header
            if end > intact.count || bytes[start..<end] != intact[start..<end] { return true }
            let stored = Int(number(bytes, start + 48, 8))
            guard end + stored <= bytes.count else { continue }
            if bytes[end..<end + stored] != intact[end..<min(end + stored, intact.count)],
                number(bytes, start + 12, 4) == UInt64(checksum(bytes, end..<end + stored))
            {
                return true
            }
        }
        return false
    }
}
