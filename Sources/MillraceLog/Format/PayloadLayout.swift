/// Where the sections of a decoded payload begin.
///
/// Each starts at a multiple of 64 bytes.
struct PayloadLayout: Equatable, Sendable {
    let labels: Int
    let marks: Int
    let deltas: Int
    let drops: Int
    let valueEnds: Int
    /// Where value bytes begin; they reach to the end of the payload.
    let valueBytes: Int
    /// Bytes of a payload without value bytes.
    let end: Int

    init(_ header: BatchHeader) {
        let has = header.attributes.has
        var next = header.rows * header.stride
        func section(_ present: Bool, _ bytes: Int) -> Int {
            guard present else { return next }
            let start = aligned64(next)
            next = start + bytes
            return start
        }
        labels = section(has(BatchAttributes.labels), header.rows * 4)
        marks = section(has(BatchAttributes.marks), header.rows)
        deltas = section(has(BatchAttributes.deltas), header.rows * 4)
        drops = section(has(BatchAttributes.drops), header.drops * 8)
        valueEnds = section(has(BatchAttributes.values), header.rows * 4)
        valueBytes = section(has(BatchAttributes.values), 0)
        end = next
    }
}
