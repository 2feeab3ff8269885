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
    /// `[batches * 1024, 64]`, row-major, from element `first` on, which stands at a multiple of 64
    /// bytes: of memory that does not stand at a multiple of 32, the kernel copies a tenth slower.
    private let elements: [Float]
    private let first: Int

    private init(batches: Int) throws {
        self.batches = batches
        let features = try Digits(rows: batches * Self.rowsPerBatch).features
        // Room for another 15 elements, of which as many come before the features as it takes.
        var elements = [Float](repeating: 0, count: features.count + 15)
        let first = unsafe elements.withUnsafeBytes { bytes in
            (64 - Int(bitPattern: bytes.baseAddress) % 64) % 64 / 4
        }
        for index in features.indices { elements[first + index] = features[index] }
        self.elements = elements
        self.first = first
    }

    /// The elements of batch `turn`, the last one being followed by the first.
    @_lifetime(borrow self)
    func batch(_ turn: Int) -> Span<Float> {
        let size = Self.rowsPerBatch * Self.columns
        let start = first + turn % batches * size
        return elements.span.extracting(start..<start + size)
    }

    /// Calls `body` with all rows.
    func withRows<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try unsafe elements.withUnsafeBytes {
            let start = first * 4
            let end = start + batches * Self.batchBytes
            return try unsafe body(UnsafeRawBufferPointer(rebasing: $0[start..<end]))
        }
    }
}
