/// Keys, times and headers of single rows.
extension RecordBatch {
    /// Whether rows have times of their own.
    public var hasTimestamps: Bool { header.attributes.has(BatchAttributes.timestamps) }
    /// Whether any row has a key.
    public var hasKeys: Bool { header.attributes.has(BatchAttributes.keys) }
    /// Whether any row has headers.
    public var hasHeaders: Bool { header.attributes.has(BatchAttributes.headers) }

    /// Time of row `index`, nanoseconds since 1970: its own, or the batch's.
    public func timestamp(_ index: Int) -> Int64 {
        precondition(index >= 0 && index < header.rows)
        guard hasTimestamps else { return header.firstTimestamp }
        return payload.load(layout.timestamps + index * 8)
    }

    /// Key of row `index`; nil when it has none.
    @_lifetime(copy self)
    public func key(_ index: Int) -> Span<UInt8>? {
        precondition(index >= 0 && index < header.rows)
        guard hasKeys else { return nil }
        let end = keyEnd(index)
        guard end & PayloadLayout.noKey == 0 else { return nil }
        let begin = index == 0 ? 0 : keyEnd(index - 1) & ~PayloadLayout.noKey
        return payload.elements(
            layout.keyBytes + Int(begin)..<layout.keyBytes + Int(end), as: UInt8.self)
    }

    private func keyEnd(_ index: Int) -> UInt32 { payload.load(layout.keyEnds + index * 4) }

    /// Walks the headers of row `index`, in the order in which they were attached.
    @_lifetime(copy self)
    public func headers(_ index: Int) -> RowHeaderCursor {
        precondition(index >= 0 && index < header.rows)
        guard hasHeaders else { return RowHeaderCursor(payload.extracting(0..<0)) }
        let begin = index == 0 ? 0 : headerEnd(index - 1)
        return RowHeaderCursor(
            payload.extracting(
                layout.headerBytes + begin..<layout.headerBytes + headerEnd(index)))
    }

    private func headerEnd(_ index: Int) -> Int {
        Int(payload.load(layout.headerEnds + index * 4, as: UInt32.self))
    }

    /// Number of headers of row `index`.
    ///
    /// - Complexity: O(headers of the row).
    public func headerCount(_ index: Int) -> Int {
        var cursor = headers(index)
        var count = 0
        while cursor.next() { count += 1 }
        return count
    }
}
