internal import MillraceSystem

/// What intact batches behind a place say was durable when they were appended.
///
/// A torn tail never reaches below what one of them attests: damage there is corruption, whatever
/// the control page, which may be old, says.
struct Attestation: Sendable {
    /// Each intact header's log position and what it attests.
    private var headers: [(position: UInt64, durable: UInt64)] = []

    /// Reads the headers in `parts` at and above log position `position`.
    ///
    /// - Complexity: O(bytes of those segments).
    init(_ parts: [SegmentPart], from position: UInt64) {
        for part in parts {
            // The search for the end of a log knows no segments without a header.
            guard part.header != nil else { continue }
            // A segment that cannot be read attests nothing.
            do throws(SystemError) { try read(part, from: position) } catch {}
        }
    }

    private mutating func read(_ part: SegmentPart, from first: UInt64) throws(SystemError) {
        let file = try FileHandle(part.path, .read)
        let map = try file.map(bytes: try file.size(), writable: false)
        var position = max(first, part.basePosition)
        while true {
            let at = SegmentHeader.byteCount + Int(position - part.basePosition)
            guard at + BatchHeader.plainBytes <= map.byteCount else { return }
            if map.bytes.load(at) == BatchHeader.magic,
                case .success(let header) = SegmentCursor.header(at, map.bytes),
                header.durable <= position
            {
                headers.append((position, header.durable))
            }
            position += 64
        }
    }

    /// Log position below which everything was durable, as headers behind `position` say.
    func durable(behind position: UInt64) -> UInt64 {
        headers.reduce(0) { $1.position > position ? max($0, $1.durable) : $0 }
    }
}
