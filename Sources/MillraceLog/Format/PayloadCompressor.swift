internal import MillraceSystem

/// Filters and compresses payloads, into memory of its own.
struct PayloadCompressor: ~Copyable {
    private let filter: Filter
    private var compressor: LZ4Compressor
    private var filtered = AlignedBuffer()
    /// Header space, then the block; for the encoder to write the header in front.
    var arena = AlignedBuffer()

    init(level: Int, filter: Filter) {
        compressor = LZ4Compressor(level: level)
        self.filter = filter
    }

    /// Compresses the payload that stands in `source` behind header space into the arena, and
    /// enters codec, filter and size into `header`; false, with the header unchanged, when that
    /// saves nothing.
    mutating func compress(
        _ source: borrowing AlignedBuffer, _ header: inout BatchHeader
    ) -> Bool {
        let width = header.elementType?.byteCount ?? 1
        let splits = filter == .split && width > 1 && header.rows > 0
        let written: Int?
        if splits {
            Self.split(source, header, width, into: &filtered)
            written = Self.compress(filtered, header, &compressor, into: &arena)
        } else {
            written = Self.compress(source, header, &compressor, into: &arena)
        }
        guard let written else { return false }
        header.attributes.codec = .lz4
        header.attributes.filter = splits ? .split : .none
        header.storedBytes = written
        return true
    }

    /// Bytes of the block behind header space in `arena`, zeros behind it to a multiple of 64.
    private static func compress(
        _ source: borrowing AlignedBuffer, _ header: BatchHeader,
        _ compressor: inout LZ4Compressor, into arena: inout AlignedBuffer
    ) -> Int? {
        guard header.decodedBytes > 0 else { return nil }
        let start = BatchHeader.fullBytes
        arena.reserve(start + aligned64(LZ4Block.bound(header.decodedBytes)))
        let payload = source.bytes.extracting(start..<start + header.decodedBytes)
        var bytes = arena.mutableBytes
        var target = bytes._mutatingExtracting(start...)
        guard let written = compressor.compress(payload, into: &target),
            aligned64(written) < aligned64(header.decodedBytes)
        else { return nil }
        target.zero(written, to: aligned64(written))
        return written
    }

    private static func split(
        _ source: borrowing AlignedBuffer, _ header: BatchHeader, _ width: Int,
        into filtered: inout AlignedBuffer
    ) {
        let start = BatchHeader.fullBytes
        let matrix = header.rows * header.stride
        filtered.reserve(start + header.decodedBytes)
        let payload = source.bytes.extracting(start..<start + header.decodedBytes)
        var bytes = filtered.mutableBytes
        bytes.copy(payload.extracting(matrix...), at: start + matrix)
        var target = bytes._mutatingExtracting(start...)
        SplitKernels.best.split(payload.extracting(0..<matrix), into: &target, width: width)
    }
}
