/// Checking that a batch is whole before it is encoded.
extension BatchBuilder {
    /// Fills in the header as far as the builder knows it, for a matrix stored as `type`; what
    /// `header` was is forgotten.
    ///
    /// - Throws: `LogError` when the sections contradict each other or a limit.
    @inline(__always)
    mutating func seal(
        into header: inout BatchHeader, storing type: ElementType
    ) throws(LogError) {
        let isPlain = sections.isEmpty
        if !isPlain { completeSections() }
        try checkCounts(isPlain: isPlain)
        if !isPlain { try checkSections() }
        guard rows == 0 || columns == 0 || elementType == .float32 || elementType == type else {
            throw LogError(
                .invalidArgument,
                "the topic stores \(type.rawValue), the rows are \(elementType.rawValue)")
        }
        header = BatchHeader()
        header.rows = rows
        header.columns = columns
        header.stride = columns * type.byteCount
        header.elementType = columns > 0 ? type : nil
        header.origin = origin
        header.specification = specification
        header.sequence = sequence
        header.firstTimestamp = timestamp
        header.maxTimestamp = timestamp
        header.decodedBytes = rows * header.stride
        if !isPlain { sections.describe(in: &header) }
        guard header.decodedBytes <= LogLimits.maxBatchBytes else {
            throw Self.batchTooLarge(header.decodedBytes)
        }
    }

    private static func batchTooLarge(_ bytes: Int) -> LogError {
        LogError(
            .tooLarge,
            "a batch has at most \(LogLimits.maxBatchBytes) bytes, all sections together, "
                + "not \(bytes); append fewer rows at a time")
    }

    @inline(__always)
    private mutating func checkCounts(isPlain: Bool) throws(LogError) {
        if !isPlain, let excess = sections.excess.first { throw excess }
        // Before the end of a key or value could be too large for its 32 bits.
        let bytes = rows * rowBytes + (isPlain ? 0 : sections.byteCount)
        guard bytes <= LogLimits.maxBatchBytes else { throw Self.batchTooLarge(bytes) }
        guard rows <= LogLimits.maxRows else {
            throw LogError(
                .tooLarge, "a batch has at most \(LogLimits.maxRows) rows, not \(rows)")
        }
        guard columns > 0 || sections.valueEnds.count == rows else {
            throw LogError(
                .invalidArgument,
                "\(sections.valueEnds.count) values for a batch of \(rows) rows")
        }
        let last = max(origin?.begin ?? 0, origin?.end ?? 0)
        guard last <= LogLimits.maxOffset else {
            throw LogError(.invalidArgument, "a source offset is at most 2^55, not \(last)")
        }
    }

    private mutating func checkSections() throws(LogError) {
        func require(_ count: Int, _ what: String) throws(LogError) {
            guard count == 0 || count == rows else {
                throw LogError(.invalidArgument, "\(count) \(what) for a batch of \(rows) rows")
            }
        }
        try require(sections.labels.count, "labels")
        try require(sections.timestamps.count, "timestamps")
        try require(sections.marks.count, "marks")
        try require(sections.deltas.count, "source deltas")
        guard sections.keyEnds.count <= rows, sections.headerEnds.count <= rows else {
            throw LogError(
                .invalidArgument,
                "\(sections.keyEnds.count) keys for a batch of \(rows) rows")
        }
    }
}
