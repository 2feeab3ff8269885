/// Checking that a batch is whole before it is encoded.
extension BatchBuilder {
    /// The header as far as the builder knows it, for a matrix stored as `type`.
    ///
    /// - Throws: `LogError` when the sections contradict each other or a limit.
    @inline(__always)
    mutating func sealedHeader(storing type: ElementType) throws(LogError) -> BatchHeader {
        completeSections()
        try checkCounts()
        if !sections.isEmpty { try checkSections() }
        guard rows == 0 || columns == 0 || elementType == .float32 || elementType == type else {
            throw LogError(
                .invalidArgument,
                "the topic stores \(type.rawValue), the rows are \(elementType.rawValue)")
        }
        var header = BatchHeader()
        header.rows = rows
        header.columns = columns
        header.stride = columns * type.byteCount
        header.elementType = columns > 0 ? type : nil
        header.origin = origin
        header.specification = specification
        header.sequence = sequence
        header.firstTimestamp = sections.timestamps.first ?? timestamp
        header.maxTimestamp = sections.timestamps.max() ?? timestamp
        sections.describe(in: &header)
        guard header.decodedBytes <= LogLimits.maxBatchBytes else {
            throw Self.batchTooLarge(header.decodedBytes)
        }
        return header
    }

    private static func batchTooLarge(_ bytes: Int) -> LogError {
        LogError(
            .tooLarge,
            "a batch has at most \(LogLimits.maxBatchBytes) bytes, all sections together, "
                + "not \(bytes); append fewer rows at a time")
    }

    @inline(__always)
    private mutating func checkCounts() throws(LogError) {
        if let excess = sections.excess { throw excess }
        // Before the end of a key or value could be too large for its 32 bits.
        let bytes = countBytes()
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
