/// Where the verification of one segment stands.
struct SegmentCursor: Sendable {
    let part: SegmentPart
    /// Bytes of the file.
    let size: Int
    /// Bytes that the file must have to reach the end of its batches; nil when nobody knows it.
    let wanted: Int?
    /// The segment that follows.
    let next: SegmentPart?
    /// Byte of the next batch.
    var at = SegmentHeader.byteCount
    var index: IndexCheck

    init(part: SegmentPart, size: Int, limit: UInt64?, next: SegmentPart?) {
        self.part = part
        self.size = size
        wanted = limit.map {
            SegmentHeader.byteCount + Int(max($0, part.basePosition) - part.basePosition)
        }
        self.next = next
        index = IndexCheck(basePosition: part.basePosition)
    }

    /// Byte behind the last batch, as far as the file reaches.
    var end: Int { min(wanted ?? size, size) }

    /// The log position of byte `at`.
    func position(_ at: Int) -> UInt64 {
        part.basePosition + UInt64(at - SegmentHeader.byteCount)
    }

    /// Whether nothing but zeros follows where nobody knows the end: it is here.
    func isAtZeros(_ bytes: RawSpan) -> Bool {
        guard wanted == nil, bytes.load(at, as: UInt8.self) == 0 else { return false }
        return (at..<size).allSatisfy { bytes.load($0, as: UInt8.self) == 0 }
    }

    static func header(_ at: Int, _ bytes: RawSpan) -> Result<BatchHeader, BatchHeaderFault> {
        do throws(BatchHeaderFault) {
            return .success(try BatchHeader(bytes.extracting(at..<bytes.byteCount)))
        } catch {
            return .failure(error)
        }
    }
}
