internal import BenchmarkSupport

/// The shipped digits as batches of 1,024 rows of 64 float32.
struct DigitRows: Sendable {
    static let columns = Digits.columns
    static let rowsPerBatch = 1024
    static let rowBytes = columns * 4
    static let batchBytes = rowsPerBatch * rowBytes

    /// 16 batches, 4 MiB: every batch is another piece of the images.
    static let shared = Result { try DigitRows(batches: 16) }

    let batches: Int
    /// `[batches * 1024, 64]`, row-major.
    let features: [Float]

    private init(batches: Int) throws {
        self.batches = batches
        features = try Digits(rows: batches * Self.rowsPerBatch).features
    }

    /// The elements of batch `turn`, the last one being followed by the first.
    func range(ofBatch turn: Int) -> Range<Int> {
        let size = Self.rowsPerBatch * Self.columns
        let start = turn % batches * size
        return start..<start + size
    }
}
