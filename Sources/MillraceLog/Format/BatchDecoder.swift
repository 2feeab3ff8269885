internal import MillraceSystem

/// Decodes the payloads of batches, one at a time, into memory of its own.
///
/// Stored batches are used where they are. **Thread-safety**: one owner.
@safe struct BatchDecoder: ~Copyable, @unchecked Sendable {
    // Sendable: its memory is its own.

    private var arena = AlignedBuffer()
    /// What LZ4 gives of a filtered payload, before the filter is undone.
    private var scratch = AlignedBuffer()
    /// The batch decoded last: one, in memory of its own, so that a reader's view of it stays where it
    /// is whatever becomes of the decoder's own place.
    private let decoded: UnsafeMutablePointer<DecodedBatch>

    init(_ decoding: ElementDecoding = ElementDecoding()) {
        unsafe decoded = .allocate(capacity: 1)
        unsafe decoded.initialize(to: DecodedBatch(decoding: decoding))
    }

    deinit {
        // SAFETY: it was made by `init`, alone, and is not used any more.
        unsafe decoded.deinitialize(count: 1)
        unsafe decoded.deallocate()
    }

    /// The header read or given last.
    @inline(__always)
    var header: BatchHeader { unsafe decoded.pointee.header }

    /// Reads and checks the header at the start of `bytes`, the rest of the published segment.
    @inline(__always)
    mutating func readHeader(_ bytes: RawSpan) throws(BatchHeaderFault) {
        // By a copy: of the stored pointer Swift 6.3 makes no valid code for the thread sanitizer.
        let last = unsafe decoded
        try unsafe last.pointee.header.read(bytes)
    }

    /// Exchanges its memory for another, without what was decoded.
    mutating func exchange(_ memory: DecodingMemory) {
        swap(&arena, &memory.arena)
        swap(&scratch, &memory.scratch)
    }

    /// Checks and decodes the payload of `header`; `stored` is what follows it.
    mutating func decode(
        _ header: BatchHeader, stored: RawSpan, verify: Bool
    ) throws(BatchHeaderFault) {
        unsafe decoded.pointee.header = header
        try decode(stored, verify: verify)
    }

    /// Checks and decodes the payload of the header read last; `stored` is what follows it,
    /// `header.storedBytes` long.
    ///
    /// Its CRC is compared when `verify` says so, its structure always.
    /// - Throws: `BatchHeaderFault` with the byte inside the batch.
    /// - Complexity: O(bytes); no allocation once the arena is large enough.
    @inline(__always)
    mutating func decode(_ stored: RawSpan, verify: Bool) throws(BatchHeaderFault) {
        precondition(stored.byteCount == header.storedBytes)
        if verify {
            let checksum = CRC32C.checksum(stored)
            guard checksum == header.payloadChecksum else {
                throw BatchHeaderFault(
                    byte: 12, expected: "payload checksum \(hex(checksum))",
                    found: hex(header.payloadChecksum))
            }
        }
        let type = unsafe decoded.pointee.decoding.type
        guard header.elementType == nil || header.elementType == type else {
            throw BatchHeaderFault(
                byte: 100, expected: "the topic's element type \(type.code)",
                found: "\(header.elementType?.code ?? 0)")
        }
        guard header.attributes.codec == .lz4 else {
            unsafe decoded.pointee.layout = try PayloadLayout(header, checking: stored)
            return
        }
        arena.reserve(header.decodedBytes)
        let isWhole: Bool
        if header.attributes.filter == .split {
            scratch.reserve(header.decodedBytes)
            isWhole = Self.decompress(stored, header.decodedBytes, into: &scratch)
            if isWhole { Self.unsplit(scratch, header, into: &arena) }
        } else {
            isWhole = Self.decompress(stored, header.decodedBytes, into: &arena)
        }
        guard isWhole else {
            throw BatchHeaderFault(
                byte: header.headerBytes,
                expected: "an LZ4 block of \(header.decodedBytes) bytes", found: "another")
        }
        let layout = try PayloadLayout(
            header, checking: arena.bytes.extracting(0..<header.decodedBytes))
        unsafe decoded.pointee.layout = layout
    }

    private static func decompress(
        _ stored: RawSpan, _ count: Int, into buffer: inout AlignedBuffer
    ) -> Bool {
        var bytes = buffer.mutableBytes
        var target = bytes._mutatingExtracting(0..<count)
        return LZ4Block.decompress(stored, into: &target) != nil
    }

    private static func unsplit(
        _ scratch: borrowing AlignedBuffer, _ header: BatchHeader, into arena: inout AlignedBuffer
    ) {
        let filtered = scratch.bytes
        let matrix = header.rows * header.stride
        var bytes = arena.mutableBytes
        SplitKernels.best.unsplit(
            filtered.extracting(0..<matrix), into: &bytes,
            width: header.elementType?.byteCount ?? 4)
        bytes.copy(filtered.extracting(matrix..<header.decodedBytes), at: matrix)
    }

    /// The payload decoded last: the stored bytes themselves, or the arena.
    @_lifetime(borrow self, copy stored)
    @inline(__always)
    func payload(_ stored: RawSpan) -> RawSpan {
        if header.attributes.codec == .none { return stored }
        return arena.bytes.extracting(0..<header.decodedBytes)
    }

    /// The batch decoded last, as a reader sees it.
    @_lifetime(borrow self, copy stored)
    @inline(__always)
    func batch(stored: RawSpan, skippedRows: Int) -> RecordBatch {
        // SAFETY: the memory lives as long as `self`, which the span borrows.
        let one = unsafe Span(_unsafeStart: UnsafePointer(decoded), count: 1)
        return RecordBatch(
            unsafe _overrideLifetime(one, borrowing: self), payload: payload(stored),
            skippedRows: skippedRows)
    }
}

/// What is known of a batch beside its payload.
struct DecodedBatch: Sendable {
    var header = BatchHeader()
    var layout = PayloadLayout(BatchHeader())
    let decoding: ElementDecoding
}
