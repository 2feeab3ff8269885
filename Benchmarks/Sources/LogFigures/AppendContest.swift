internal import BenchmarkSupport
internal import MillraceLog

/// Appending batches that are built already, a new topic for each sample.
struct AppendContest: Contest {
    private static let turns = 64
    private static let bytes = Double(turns * DigitRows.batchBytes)
    /// Bytes of a header without an origin.
    private static let header = 128

    private enum Opponent { case compress, byHand, freshFile, warmFile }
    private enum Side { case log, byHand }

    private let side: Side
    private let opponent: Opponent
    private let directory: WorkDirectory

    private init(_ side: Side, _ opponent: Opponent) throws {
        self.side = side
        self.opponent = opponent
        directory = try WorkDirectory()
        try Bare.use(DigitRows.shared.get())
        if opponent == .warmFile { _ = try write(fresh: true) }
    }

    func ours() throws -> Double {
        if side == .byHand { return Self.bytes / (try appendByHand()) * 1e-9 }
        let compresses = opponent == .compress || opponent == .byHand
        let log = try DigitLog(codec: compresses ? .lz4 : .none)
        return Self.bytes / (try log.append(Self.turns)) * 1e-9
    }

    func bare() throws -> Double {
        let seconds =
            switch opponent {
            case .compress: try Bare.compress(Self.turns)
            case .byHand: try appendByHand()
            case .freshFile: try write(fresh: true)
            case .warmFile: try write(fresh: false)
            }
        return Self.bytes / seconds * 1e-9
    }

    private func appendByHand() throws -> Double {
        try Bare.append(
            directory.path + "/bare", turns: Self.turns, extra: Self.header, compressed: true)
    }

    private func write(fresh: Bool) throws -> Double {
        try Bare.write(
            directory.path + "/bare", turns: Self.turns, extra: Self.header, fresh: fresh)
    }

    static let figures = [
        Figure(
            name: "Append, LZ4", bare: "`LZ4_compress_fast` on the same batches", unit: "GB/s",
            asked: .atLeast(0.9), limit: "LZ4 compression",
            contest: { try AppendContest(.log, .compress) }),
        Figure(
            name: "Append by hand, LZ4: compressing, CRC-32C and one `pwritev`",
            bare: "`LZ4_compress_fast` on the same batches: what no append can exceed",
            unit: "GB/s", asked: .nothing, limit: "LZ4 compression",
            contest: { try AppendContest(.byHand, .compress) }),
        Figure(
            name: "Append, LZ4, beside that by hand", bare: "an append by hand, as above",
            unit: "GB/s", asked: .nothing, limit: "LZ4 compression",
            contest: { try AppendContest(.log, .byHand) }),
        Figure(
            name: "Append, stored",
            bare: "`pwrite` of the same bytes into a new file, blocks reserved", unit: "GB/s",
            asked: .atLeast(0.7), limit: "the kernel's copy into new pages of the page cache",
            contest: { try AppendContest(.log, .freshFile) }),
        Figure(
            name: "Append, stored, against a file in the page cache",
            bare: "`pwrite` over pages that are in the cache; the log's are new", unit: "GB/s",
            asked: .nothing, limit: "getting new pages, which the log needs and the other does not",
            contest: { try AppendContest(.log, .warmFile) }),
    ]
}
