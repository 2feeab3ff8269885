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

    /// Lengths of `lengths` for which a set differs from the table.
    ///
    /// Each is tried at every start of `starts`, in memory that ends where the bytes end, so that a
    /// sanitizer sees a read behind them.
    private static func differences(
        of set: ChecksumSet, lengths: some Sequence<Int>, starts: Range<Int>,
        random: inout SplitMix64
    ) -> [Int] {
        var different: [Int] = []
        for length in lengths {
            for start in starts {
                let bytes = (0..<start + length).map { _ in
                    UInt8(truncatingIfNeeded: random.next())
                }
                let seed = UInt32(truncatingIfNeeded: random.next())
                let part = bytes[start...]
                if set.checksum(part, seed: seed) != ChecksumSet.table.checksum(part, seed: seed) {
                    different.append(length)
                }
            }
        }
        return different
    }

    /// Every length over all steps of each set, at several alignments, with any seed.
    @Test(arguments: ChecksumSet.available)
    func agreesWithTheTable(set: ChecksumSet) {
        var random = SplitMix64(seed: 3)
        let lengths = Self.differences(of: set, lengths: 0...2048, starts: 0..<3, random: &random)
        #expect(lengths.isEmpty)
        let edges = [0, 1, 7, 63, 80, 81, 96, 116, 255, 256, 257, 511, 768, 2047]
        let atEdges = Self.differences(of: set, lengths: edges, starts: 0..<65, random: &random)
        #expect(atEdges.isEmpty)
    }

    /// Long inputs of random length.
    @Test(arguments: ChecksumSet.available)
    func agreesWithTheTableOnLongInputs(set: ChecksumSet) {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("random lengths, seed \(seed)")
        var random = SplitMix64(seed: seed)
        let lengths = (0..<20).map { _ in Int(random.next() % 100_000) }
        let different = Self.differences(
            of: set, lengths: lengths, starts: 0..<2, random: &random)
        #expect(different.isEmpty, "seed \(seed)")
    }

    /// A checksum of two parts, the first one's being the second one's seed, is that of the whole.
    @Test(arguments: ChecksumSet.available)
    func continuesFromASeed(set: ChecksumSet) {
        let bytes = (0..<1500).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        let whole = Self.slow(bytes)
        let different = (0...bytes.count).filter { cut in
            let front = set.checksum(bytes[..<cut], seed: 0)
            return set.checksum(bytes[cut...], seed: front) != whole
        }
        #expect(different.isEmpty)
    }
}

/// The implementations of CRC-32C, each forced by name.
enum ChecksumSet: String, CaseIterable {
    case table
    case sse42
    case avx512

    /// Those that this processor has.
    static var available: [ChecksumSet] { allCases.filter { unsafe $0.function != nil } }

    private var function: cm_crc32c_set? {
        switch self {
        case .table: unsafe cm_crc32c_portable
        case .sse42: unsafe cm_crc32c_sse42()
        case .avx512: unsafe cm_crc32c_avx512()
        }
    }

    /// The checksum of `bytes` by this set, which must be available.
    func checksum(_ bytes: ArraySlice<UInt8>, seed: UInt32) -> UInt32 {
        guard let function = unsafe function else { preconditionFailure("\(self) is missing") }
        return unsafe bytes.withUnsafeBytes { unsafe function(seed, $0.baseAddress, $0.count) }
    }
}
