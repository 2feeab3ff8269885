/// Where the sections of a decoded payload begin.
///
/// Each starts at a multiple of 64 bytes, in this order; those that the batch has not take no room:
///
/// | Section | Content |
/// | --- | --- |
/// | matrix | `rows` times the stride: the elements of a row |
/// | labels | f32 a row |
/// | timestamps | i64 a row, nanoseconds since 1970 |
/// | marks | u8 a row |
/// | source deltas | u32 a row |
/// | drops | u32 delta and u32 reason each |
/// | key ends | u32 a row: where the key ends in the key bytes; top bit set: no key |
/// | key bytes | up to the last key's end |
/// | header ends | u32 a row: where the row's headers end in the header bytes |
/// | header bytes | each: u16 name length, u32 value length, name in UTF-8, value |
/// | value ends | u32 a row: where the value ends in the value bytes |
/// | value bytes | to the end of the payload |
///
/// With byte-stream split, the matrix section of what LZ4 compressed holds first byte 0 of every
/// element, then byte 1 of every element, and so on.
struct PayloadLayout: Equatable, Sendable {
    let labels: Int
    let timestamps: Int
    let marks: Int
    let deltas: Int
    let drops: Int
    let keyEnds: Int
    let keyBytes: Int
    let headerEnds: Int
    let headerBytes: Int
    let valueEnds: Int
    let valueBytes: Int
    /// Bytes of the payload without value bytes.
    let end: Int

    /// Marks the end of a key that is none.
    static let noKey: UInt32 = 1 << 31

    /// The layout of a matrix alone.
    init(matrixBytes end: Int) {
        labels = end
        timestamps = end
        marks = end
        deltas = end
        drops = end
        keyEnds = end
        keyBytes = end
        headerEnds = end
        headerBytes = end
        valueEnds = end
        valueBytes = end
        self.end = end
    }

    /// The layout with the given lengths of keys and headers, which the header does not tell: with
    /// none it gives the least size, and right places up to the key bytes.
    init(_ header: BatchHeader, keyLength: Int = 0, headerLength: Int = 0) {
        let has = header.attributes.has
        var next = header.rows * header.stride
        func section(_ present: Bool, _ bytes: Int) -> Int {
            guard present else { return next }
            let start = aligned64(next)
            next = start + bytes
            return start
        }
        labels = section(has(BatchAttributes.labels), header.rows * 4)
        timestamps = section(has(BatchAttributes.timestamps), header.rows * 8)
        marks = section(has(BatchAttributes.marks), header.rows)
        deltas = section(has(BatchAttributes.deltas), header.rows * 4)
        drops = section(has(BatchAttributes.drops), header.drops * 8)
        keyEnds = section(has(BatchAttributes.keys), header.rows * 4)
        keyBytes = section(has(BatchAttributes.keys), keyLength)
        headerEnds = section(has(BatchAttributes.headers), header.rows * 4)
        headerBytes = section(has(BatchAttributes.headers), headerLength)
        valueEnds = section(has(BatchAttributes.values), header.rows * 4)
        valueBytes = section(has(BatchAttributes.values), 0)
        end = next
    }
}
