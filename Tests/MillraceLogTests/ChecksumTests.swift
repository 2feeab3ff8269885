import CMillraceKernels
import MillraceSystem
import Testing

/// CRC-32C by hardware against its published vectors and the table version.
@Suite struct ChecksumTests {
    private static func fast(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        CRC32C.checksum(unsafe bytes.span.bytes, seed: seed)
    }

    private static func slow(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBytes {
            unsafe cm_crc32c_portable(seed, $0.baseAddress, $0.count)
        }
    }

    /// RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
    @Test func publishedVectors() {
        let scsiRead: [UInt8] = [
            0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
            0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
        ]
        let vectors: [([UInt8], UInt32)] = [
            ([], 0),
            (Array("123456789".utf8), 0xE306_9283),
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E),
            (Array((0..<32).reversed()), 0x113F_DB5C),
            (scsiRead, 0xD996_3A56),
        ]
        for (bytes, checksum) in vectors {
            #expect(Self.fast(bytes) == checksum)
            #expect(Self.slow(bytes) == checksum)
        }
    }

    /// Every length around the folding loop's steps, at every alignment, whole and in two parts.
    @Test func agreesWithTheTable() {
        var random = SplitMix64(seed: 3)
        let bytes = (0..<700).map { _ in UInt8(random.next() & 0xFF) }
        var differences = 0
        for length in 0...600 {
            let start = length % 17
            let part = Array(bytes[start..<start + length])
            let seed = UInt32(truncatingIfNeeded: random.next())
            if Self.fast(part, seed: seed) != Self.slow(part, seed: seed) { differences += 1 }
            let cut = length * 3 / 7
            let front = Self.fast(Array(part[..<cut]))
            if Self.fast(Array(part[cut...]), seed: front) != Self.slow(part) { differences += 1 }
        }
        #expect(differences == 0)
    }
}
