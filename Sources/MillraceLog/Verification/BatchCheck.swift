internal import MillraceSystem

/// Checks of one batch that its header cannot promise.
struct BatchCheck: ~Copyable {
    private var arena = AlignedBuffer()

    /// Why the payload cannot be used; nil when it can.
    ///
    /// `batch` holds the batch from its header to its padding.
    mutating func fault(_ header: BatchHeader, _ batch: RawSpan) -> BatchHeaderFault? {
        let stored = batch.extracting(header.headerBytes..<header.headerBytes + header.storedBytes)
        let checksum = CRC32C.checksum(stored)
        guard checksum == header.payloadChecksum else {
            return BatchHeaderFault(
                byte: 12, expected: "payload checksum \(hex(checksum))",
                found: hex(header.payloadChecksum))
        }
        do throws(BatchHeaderFault) {
            if header.attributes.codec == .none {
                try RecordBatch(header: header, payload: stored, skippedRows: 0).checkValueEnds()
            } else {
                try decode(header, stored)
            }
            return nil
        } catch {
            return error
        }
    }

    private mutating func decode(
        _ header: BatchHeader, _ stored: RawSpan
    ) throws(BatchHeaderFault) {
        arena.reserve(header.decodedBytes)
        guard Self.decompress(stored, into: &arena, bytes: header.decodedBytes) else {
            throw BatchHeaderFault(
                byte: header.headerBytes,
                expected: "an LZ4 block of \(header.decodedBytes) bytes", found: "another")
        }
        let payload = arena.bytes.extracting(0..<header.decodedBytes)
        try RecordBatch(header: header, payload: payload, skippedRows: 0).checkValueEnds()
    }

    private static func decompress(
        _ stored: RawSpan, into arena: inout AlignedBuffer, bytes count: Int
    ) -> Bool {
        var bytes = arena.mutableBytes
        var target = bytes._mutatingExtracting(0..<count)
        return LZ4Block.decompress(stored, into: &target) != nil
    }

    /// The first byte of the batch's padding that is not zero.
    static func dirtyPadding(_ header: BatchHeader, _ batch: RawSpan) -> Int? {
        (header.headerBytes + header.storedBytes..<header.batchBytes).first {
            batch.load($0, as: UInt8.self) != 0
        }
    }
}
