internal import MillraceSystem

/// Makes whole batches as they stand in a segment, for carrying them elsewhere.
///
/// **Thread-safety**: one owner.
package struct BatchPacker: ~Copyable {
    private var encoder: BatchEncoder

    /// Rows are stored as a topic of this configuration stores them.
    package init(configuration: TopicConfiguration) {
        encoder = BatchEncoder(configuration: configuration)
    }

    /// Appends the builder's rows to `bytes` as one batch, header to padding, and resets the
    /// builder.
    ///
    /// - Throws: as appending them would.
    /// - Complexity: O(bytes).
    package mutating func pack(
        _ builder: inout BatchBuilder, into bytes: inout [UInt8]
    ) throws(LogError) {
        try encoder.prepare(&builder)
        encoder.header.appendedAt = Clock.wallNanoseconds()
        encoder.encode(&builder)
        do {
            let batch = encoder.batch(of: builder)
            // SAFETY: the pointer is used only inside the closure, with its true length.
            unsafe batch.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        }
        builder.reset()
    }
}

/// Reads batches that `BatchPacker` made, from untrusted bytes.
///
/// **Thread-safety**: one owner.
package struct BatchUnpacker: ~Copyable {
    /// Why bytes are no batch.
    package struct Fault: Error, Equatable {
        /// The byte at which it shows.
        package let position: Int
        package let expected: String
        package let found: String
    }

    private var decoder: BatchDecoder
    /// The bytes once more, aligned.
    private var memory = AlignedBuffer()

    /// For batches whose elements are stored so.
    package init(decoding: ElementDecoding) { decoder = BatchDecoder(decoding) }

    /// The batch that `bytes` are, from the first to the last; it lives until the next call.
    ///
    /// Both checksums are compared, and every length and end in it.
    /// - Complexity: O(bytes); no allocation once the memory is large enough.
    @_lifetime(&self)
    package mutating func unpack(_ bytes: Span<UInt8>) throws(Fault) -> RecordBatch {
        memory.reserve(bytes.count)
        do {
            var target = memory.mutableBytes
            // SAFETY: every byte of a span of bytes is initialised; there is no padding.
            target.copy(unsafe bytes.bytes, at: 0)
        }
        // SAFETY: here and below, memory and decoder stay as they are until the unpacker, which the
        // batch borrows, is used again.
        let whole = unsafe _overrideLifetime(
            memory.bytes.extracting(0..<bytes.count), copying: ())
        do throws(BatchHeaderFault) {
            try decoder.readHeader(whole)
            guard decoder.header.batchBytes == bytes.count else {
                throw BatchHeaderFault(
                    byte: 24, expected: "a batch of \(bytes.count) bytes",
                    found: "\(decoder.header.batchBytes)")
            }
            try decoder.decode(whole.extracting(stored), verify: true)
        } catch {
            throw Fault(position: error.byte, expected: error.expected, found: error.found)
        }
        let batch = unsafe _overrideLifetime(
            decoder.batch(stored: whole.extracting(stored), skippedRows: 0), copying: ())
        return unsafe _overrideLifetime(batch, mutating: &self)
    }

    /// Where the payload of the header read last stands.
    private var stored: Range<Int> {
        let start = decoder.header.headerBytes
        return start..<start + decoder.header.storedBytes
    }
}
