/// Reading the layout of a payload whose header has been checked, and checking what the header
/// cannot promise, so that no accessor of the batch can go wrong.
extension PayloadLayout {
    /// The layout of the decoded `payload`; every end in it has been checked.
    ///
    /// - Complexity: O(rows with keys, headers or values).
    @inline(__always)
    init(_ header: BatchHeader, checking payload: RawSpan) throws(BatchHeaderFault) {
        guard header.attributes.hasUnknownLength else {
            if header.attributes.has(BatchAttributes.sections) {
                self.init(header)
            } else {
                self.init(matrixBytes: header.rows * header.stride)
            }
            return
        }
        let check = PayloadCheck(header: header)
        var keyLength = 0
        if header.attributes.has(BatchAttributes.keys) {
            let layout = PayloadLayout(header)
            keyLength = try check.keys(payload, layout.keyEnds)
            try check.fits(PayloadLayout(header, keyLength: keyLength))
        }
        var headerLength = 0
        if header.attributes.has(BatchAttributes.headers) {
            let layout = PayloadLayout(header, keyLength: keyLength)
            let limit = header.decodedBytes - layout.headerBytes
            headerLength = try check.ends(payload, layout.headerEnds, limit, "headers")
            try check.fits(
                PayloadLayout(header, keyLength: keyLength, headerLength: headerLength))
            try check.headers(payload, layout)
        }
        self.init(header, keyLength: keyLength, headerLength: headerLength)
        let rest = header.decodedBytes - end
        var values = 0
        if header.attributes.has(BatchAttributes.values) {
            values = try check.ends(payload, valueEnds, rest, "value")
        }
        guard values == rest else {
            throw check.fault("\(rest) bytes in the last section", "\(values)")
        }
    }
}

/// The rules for the ends of rows inside sections.
private struct PayloadCheck {
    let header: BatchHeader

    func fault(_ expected: String, _ found: String) -> BatchHeaderFault {
        BatchHeaderFault(byte: header.headerBytes, expected: expected, found: found)
    }

    func fits(_ layout: PayloadLayout) throws(BatchHeaderFault) {
        guard layout.end <= header.decodedBytes else {
            throw fault("sections in \(header.decodedBytes) decoded bytes", "\(layout.end)")
        }
    }

    /// Checks ends that must not shrink nor go beyond `limit`; returns the last.
    func ends(
        _ payload: RawSpan, _ start: Int, _ limit: Int, _ what: String
    ) throws(BatchHeaderFault) -> Int {
        var last = 0
        for row in 0..<header.rows {
            let end = Int(payload.load(start + row * 4, as: UInt32.self))
            guard end >= last, end <= limit else {
                throw fault("\(what) of row \(row) to end at \(last)...\(limit)", "\(end)")
            }
            last = end
        }
        return last
    }

    /// The same for keys, which may be missing.
    func keys(_ payload: RawSpan, _ start: Int) throws(BatchHeaderFault) -> Int {
        var last: UInt32 = 0
        for row in 0..<header.rows {
            let word = payload.load(start + row * 4, as: UInt32.self)
            let end = word & ~PayloadLayout.noKey
            guard word & PayloadLayout.noKey == 0 ? end >= last : end == last else {
                throw fault("key of row \(row) to end at \(last) or behind", hex(word))
            }
            last = end
        }
        return Int(last)
    }

    /// Checks that the headers of each row fill their place.
    func headers(_ payload: RawSpan, _ layout: PayloadLayout) throws(BatchHeaderFault) {
        var at = layout.headerBytes
        for row in 0..<header.rows {
            let next: UInt32 = payload.load(layout.headerEnds + row * 4)
            let end = layout.headerBytes + Int(next)
            while at < end {
                guard end - at >= RowHeader.prefixBytes else {
                    throw fault("6 bytes before a header of row \(row)", "\(end - at)")
                }
                let name = at + RowHeader.prefixBytes
                let nameEnd = name + Int(payload.load(at, as: UInt16.self))
                let valueEnd = nameEnd + Int(payload.load(at + 2, as: UInt32.self))
                guard valueEnd <= end else {
                    throw fault(
                        "a header of row \(row) in \(end - name) bytes", "\(valueEnd - name)")
                }
                let text = payload.elements(name..<nameEnd, as: UInt8.self)
                do { _ = try UTF8Span(validating: text) } catch {
                    throw fault("a header's name in UTF-8 in row \(row)", "other bytes")
                }
                at = valueEnd
            }
        }
    }
}
