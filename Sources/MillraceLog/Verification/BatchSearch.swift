internal import MillraceSystem

/// Finds the next batch behind a damaged header.
///
/// A batch that carries the checksum of the damaged header is its successor, whatever lies
/// between; the header's own field or its bytes, one of which is likely intact, tell that
/// checksum. Where none carries it, not even the first batch of the next segment, the first
/// header of the right epoch, with offsets that fit and a payload that matches, is taken: a payload
/// may contain what looks like a batch.
struct BatchSearch {
    let epoch: UInt32
    /// No batch behind begins at a lower offset; nil when that is not known.
    let lowest: UInt64?
    /// No batch behind ends at a higher one.
    let highest: UInt64?
    /// The checksum that the first batch of the next segment carries; nil when there is none.
    let following: UInt32?

    /// Where in `bytes`, the segment's file, the next batch begins; `end` when there is none.
    func next(after at: Int, end: Int, in bytes: RawSpan) -> Int {
        let links = Self.checksums(of: at, in: bytes)
        if let following, links.contains(following) { return end }
        var plausible: Int?
        var next = at + 64
        while next + BatchHeader.plainBytes <= end {
            if bytes.load(next) == BatchHeader.magic, let header = header(next, in: bytes) {
                if links.contains(header.previousChecksum) { return next }
                if plausible == nil, Self.payloadMatches(header, next, in: bytes) {
                    plausible = next
                }
            }
            next += 64
        }
        return plausible ?? end
    }

    /// The checksums that a damaged header may have had; 0 is nobody's.
    private static func checksums(of at: Int, in bytes: RawSpan) -> Set<UInt32> {
        guard at + BatchHeader.fullBytes <= bytes.byteCount else { return [] }
        let header = bytes.extracting(at..<at + BatchHeader.fullBytes)
        return Set(
            [
                header.load(8), CRC32C.checksum(header.extracting(12..<BatchHeader.plainBytes)),
                CRC32C.checksum(header.extracting(12..<BatchHeader.fullBytes)),
            ].filter { $0 != 0 })
    }

    private func header(_ at: Int, in bytes: RawSpan) -> BatchHeader? {
        // What is no header here is looked for further on.
        do throws(BatchHeaderFault) {
            let header = try BatchHeader(bytes.extracting(at..<bytes.byteCount))
            let end = header.baseOffset + UInt64(header.rows)
            guard header.epoch == epoch, header.baseOffset >= lowest ?? 0, end <= highest ?? .max
            else { return nil }
            return header
        } catch {
            return nil
        }
    }

    private static func payloadMatches(_ header: BatchHeader, _ at: Int, in bytes: RawSpan) -> Bool
    {
        let start = at + header.headerBytes
        return CRC32C.checksum(bytes.extracting(start..<start + header.storedBytes))
            == header.payloadChecksum
    }
}
