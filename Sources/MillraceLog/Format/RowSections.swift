internal import MillraceSystem

/// What a batch under construction holds beside its matrix, section by section.
struct RowSections {
    var labels: [Float] = []
    var timestamps: [Int64] = []
    var marks: [UInt8] = []
    var deltas: [UInt32] = []
    var drops: [UInt32] = []
    var keyEnds: [UInt32] = []
    var keys: [UInt8] = []
    var headerEnds: [UInt32] = []
    var headers: [UInt8] = []
    var valueEnds: [UInt32] = []
    var values: [UInt8] = []
    private var hasKeys = false
    /// The first limit that a row went beyond, alone; in an array, which is small to look at.
    private(set) var excess: [LogError] = []

    @inline(__always)
    var byteCount: Int {
        labels.count * 4 + timestamps.count * 8 + marks.count + (deltas.count + drops.count) * 4
            + keyEnds.count * 4 + keys.count + headerEnds.count * 4 + headers.count
            + valueEnds.count * 4 + values.count
    }

    /// Whether there is no section, as in a plain matrix.
    @inline(__always)
    var isEmpty: Bool {
        labels.isEmpty && timestamps.isEmpty && marks.isEmpty && deltas.isEmpty && drops.isEmpty
            && keyEnds.isEmpty && headerEnds.isEmpty && valueEnds.isEmpty
    }

    mutating func removeAll() {
        guard !isEmpty || !excess.isEmpty else { return }
        labels.removeAll(keepingCapacity: true)
        timestamps.removeAll(keepingCapacity: true)
        marks.removeAll(keepingCapacity: true)
        deltas.removeAll(keepingCapacity: true)
        drops.removeAll(keepingCapacity: true)
        keyEnds.removeAll(keepingCapacity: true)
        keys.removeAll(keepingCapacity: true)
        headerEnds.removeAll(keepingCapacity: true)
        headers.removeAll(keepingCapacity: true)
        valueEnds.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
        hasKeys = false
        excess = []
    }

    /// Whether a size is within its limit.
    ///
    /// If not, that is noted, and the append will throw it.
    private mutating func isWithin(
        _ limit: Int, _ bytes: Int, row: Int, _ what: @autoclosure () -> String
    ) -> Bool {
        if bytes <= limit { return true }
        if excess.isEmpty {
            excess = [
                LogError(.tooLarge, "\(what()) is at most \(limit), not \(bytes); row \(row)")
            ]
        }
        return false
    }

    mutating func addValue(_ value: Span<UInt8>) {
        let row = valueEnds.count
        if isWithin(LogLimits.maxValueBytes, value.count, row: row, "a value in bytes") {
            Self.append(value, to: &values)
        }
        valueEnds.append(UInt32(clamping: values.count))
    }

    mutating func addValue(_ value: some Sequence<UInt8>) {
        let row = valueEnds.count
        let before = values.count
        values.append(contentsOf: value)
        let added = values.count - before
        if !isWithin(LogLimits.maxValueBytes, added, row: row, "a value in bytes") {
            values.removeLast(added)
        }
        valueEnds.append(UInt32(clamping: values.count))
    }

    mutating func addKey(_ key: Span<UInt8>?) {
        guard let key else {
            keyEnds.append(UInt32(clamping: keys.count) | PayloadLayout.noKey)
            return
        }
        if isWithin(LogLimits.maxKeyBytes, key.count, row: keyEnds.count, "a key in bytes") {
            Self.append(key, to: &keys)
        }
        hasKeys = true
        keyEnds.append(UInt32(clamping: keys.count))
    }

    /// The key of row `row`; rows before it without one have none.
    mutating func setKey(_ key: Span<UInt8>?, row: Int) {
        guard key != nil || !keyEnds.isEmpty else { return }
        while keyEnds.count < row { addKey(nil) }
        addKey(key)
    }

    mutating func addHeaders(_ added: [RowHeader]) {
        let row = headerEnds.count
        let start = headers.count
        _ = isWithin(LogLimits.maxHeaders, added.count, row: row, "the number of a row's headers")
        for header in added {
            let name = header.name.utf8
            if name.isEmpty, excess.isEmpty {
                excess = [LogError(.invalidArgument, "a header's name is empty; row \(row)")]
            }
            guard
                isWithin(
                    LogLimits.maxHeaderNameBytes, name.count, row: row, "a header's name in bytes"),
                isWithin(
                    LogLimits.maxHeaderBytes,
                    headers.count - start + RowHeader.prefixBytes + name.count + header.value.count,
                    row: row, "the size of a row's headers in bytes")
            else { break }
            Self.append(UInt16(name.count), to: &headers)
            Self.append(UInt32(header.value.count), to: &headers)
            headers.append(contentsOf: name)
            headers.append(contentsOf: header.value)
        }
        headerEnds.append(UInt32(clamping: headers.count))
    }

    /// The headers of row `row`; rows before it without any have none.
    mutating func setHeaders(_ added: [RowHeader], row: Int) {
        guard !added.isEmpty || !headerEnds.isEmpty else { return }
        while headerEnds.count < row { addHeaders([]) }
        addHeaders(added)
    }

    /// Gives rows at the end that have no key and no headers their empty places.
    @inline(__always)
    mutating func complete(rows: Int) {
        while hasKeys, keyEnds.count < rows { addKey(nil) }
        while !headers.isEmpty, headerEnds.count < rows { addHeaders([]) }
    }

    /// Rows that follow each other in the source need no list of where they came from.
    private func deltasAreNeeded(_ rows: Int) -> Bool {
        deltas.count != rows || !deltas.indices.allSatisfy { Int(deltas[$0]) == $0 }
    }

    /// Enters into `header` what sections there are, their size and the rows' times.
    func describe(in header: inout BatchHeader) {
        let rows = header.rows
        if let first = timestamps.first { header.firstTimestamp = first }
        if let last = timestamps.max() { header.maxTimestamp = last }
        header.drops = drops.count / 2
        header.attributes.set(BatchAttributes.labels, !labels.isEmpty)
        header.attributes.set(BatchAttributes.timestamps, !timestamps.isEmpty)
        header.attributes.set(BatchAttributes.marks, !marks.isEmpty)
        header.attributes.set(BatchAttributes.deltas, !deltas.isEmpty && deltasAreNeeded(rows))
        header.attributes.set(BatchAttributes.drops, !drops.isEmpty)
        header.attributes.set(BatchAttributes.keys, hasKeys)
        header.attributes.set(BatchAttributes.headers, !headers.isEmpty)
        header.attributes.set(BatchAttributes.values, !valueEnds.isEmpty)
        header.decodedBytes = layout(header).end + values.count
    }

    @inline(__always)
    private func layout(_ header: BatchHeader) -> PayloadLayout {
        PayloadLayout(
            header, keyLength: hasKeys ? keys.count : 0, headerLength: headers.count)
    }

    /// Puts the sections behind the matrix of a payload that begins at byte `start` of `buffer`;
    /// zeroes what lies between them and behind, to a multiple of 64.
    ///
    /// The header stays as it is; it is large, and given so that it is not copied to be looked at.
    @inline(__always)
    func place(in buffer: inout AlignedBuffer, at start: Int, _ header: inout BatchHeader) {
        var bytes = buffer.mutableBytes
        var payload = bytes._mutatingExtracting(start...)
        var end = header.rows * header.stride
        let attributes = header.attributes
        guard attributes.has(BatchAttributes.sections) else {
            return payload.zero(end, to: aligned64(header.decodedBytes))
        }
        let layout = layout(header)
        func put<T: BitwiseCopyable>(
            _ attribute: UInt32, _ values: [T], _ offset: Int, _ payload: inout MutableRawSpan
        ) {
            guard attributes.has(attribute) else { return }
            payload.zero(end, to: offset)
            payload.copy(values, at: offset)
            end = offset + values.count * MemoryLayout<T>.stride
        }
        put(BatchAttributes.labels, labels, layout.labels, &payload)
        put(BatchAttributes.timestamps, timestamps, layout.timestamps, &payload)
        put(BatchAttributes.marks, marks, layout.marks, &payload)
        put(BatchAttributes.deltas, deltas, layout.deltas, &payload)
        put(BatchAttributes.drops, drops, layout.drops, &payload)
        put(BatchAttributes.keys, keyEnds, layout.keyEnds, &payload)
        put(BatchAttributes.keys, keys, layout.keyBytes, &payload)
        put(BatchAttributes.headers, headerEnds, layout.headerEnds, &payload)
        put(BatchAttributes.headers, headers, layout.headerBytes, &payload)
        put(BatchAttributes.values, valueEnds, layout.valueEnds, &payload)
        put(BatchAttributes.values, values, layout.valueBytes, &payload)
        payload.zero(end, to: aligned64(header.decodedBytes))
    }

    private static func append(_ bytes: Span<UInt8>, to array: inout [UInt8]) {
        // SAFETY: the pointer is used only inside the closure, with its true length.
        unsafe bytes.withUnsafeBufferPointer { unsafe array.append(contentsOf: $0) }
    }

    private static func append(_ value: some FixedWidthInteger, to array: inout [UInt8]) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            array.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}
