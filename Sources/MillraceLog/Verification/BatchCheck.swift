/// Checks of one batch that its header cannot promise.
struct BatchCheck: ~Copyable {
    private var decoder: BatchDecoder

    init(_ decoding: ElementDecoding) { decoder = BatchDecoder(decoding) }

    /// Why the payload cannot be used; nil when it can.
    ///
    /// `batch` holds the batch from its header to its padding.
    mutating func fault(_ header: BatchHeader, _ batch: RawSpan) -> BatchHeaderFault? {
        let stored = batch.extracting(header.headerBytes..<header.headerBytes + header.storedBytes)
        do throws(BatchHeaderFault) {
            try decoder.decode(header, stored: stored, verify: true)
            return nil
        } catch {
            return error
        }
    }

    /// The first byte of the batch's padding that is not zero.
    static func dirtyPadding(_ header: BatchHeader, _ batch: RawSpan) -> Int? {
        (header.headerBytes + header.storedBytes..<header.batchBytes).first {
            batch.load($0, as: UInt8.self) != 0
        }
    }
}
