internal import MillraceLog

/// Scanning a topic through a warm mapping, checksums verified.
struct ScanContest: Contest {
    private let log: DigitLog
    private let codec: Codec
    private let filter: Filter
    private let turns: Int
    /// Whether the checksum alone is measured, by hand.
    private let isByHand: Bool

    private init(
        _ codec: Codec, _ filter: Filter = .none, turns: Int, isByHand: Bool = false
    ) throws {
        self.codec = codec
        self.filter = filter
        self.isByHand = isByHand
        self.turns = turns
        log = try DigitLog(codec: codec, filter: filter, segmentBytes: 1 << 30)
        // The first batch opens the segment.
        _ = try log.append(turns - 1)
        try Bare.use(DigitRows.shared.get(), isSplit: filter == .split)
        if codec == .none { try Bare.map(log.segment()) }
    }

    func ours() throws -> Double {
        if isByHand { return Double(Bare.mappedBytes) / (try Bare.checksum()) * 1e-9 }
        let found = try log.scan()
        guard found.rows == turns * DigitRows.rowsPerBatch else {
            throw Bare.Failure(description: "\(found.rows) rows were found")
        }
        let bytes = codec == .none ? found.storedBytes : turns * DigitRows.batchBytes
        return Double(bytes) / found.seconds * 1e-9
    }

    func bare() throws -> Double {
        guard codec == .none else {
            return Double(turns * DigitRows.batchBytes) / (try Bare.decompress(turns)) * 1e-9
        }
        return Double(Bare.mappedBytes) / (try Bare.read()) * 1e-9
    }

    static let figures = [
        Figure(
            name: "Scan, LZ4", bare: "`LZ4_decompress_safe` on the same blocks", unit: "GB/s",
            asked: .atLeast(0.9), limit: "LZ4 decompression",
            contest: { try ScanContest(.lz4, turns: 256) }),
        Figure(
            name: "Scan, LZ4 and byte-stream split",
            bare: "`LZ4_decompress_safe` on the same split blocks, and the undoing kernel",
            unit: "GB/s", asked: .atLeast(0.9), limit: "LZ4 decompression",
            contest: { try ScanContest(.lz4, .split, turns: 256) }),
        Figure(
            name: "Scan, stored, 512 MiB",
            bare: "sequential 64-byte loads from a mapping of the same file", unit: "GB/s",
            asked: .atLeast(0.8), limit: "memory",
            contest: { try ScanContest(.none, turns: 2048) }),
        Figure(
            name: "Checksum alone, 512 MiB",
            bare: "sequential 64-byte loads from a mapping of the same file", unit: "GB/s",
            asked: .nothing, limit: "memory",
            contest: { try ScanContest(.none, turns: 2048, isByHand: true) }),
    ]
}
