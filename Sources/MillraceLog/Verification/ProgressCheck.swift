/// Checks what batches say of where their rows came from.
///
/// Source rows may be left out, where offsets were lost or went to another partition, but never
/// come twice: a batch with rows begins at or after the end of the one before of its group and
/// source. A batch without rows may set the source back: that is how groups are reset.
struct ProgressCheck: Sendable {
    private struct Source: Hashable {
        let group: UInt32
        let source: UInt32
        let partition: UInt32
    }

    private var ends: [Source: UInt64] = [:]
    private var sequences: [UInt32: UInt64] = [:]

    /// What is wrong about the batch: byte of its header, what was expected and found.
    mutating func fault(_ header: BatchHeader) -> BatchHeaderFault? {
        if let fault = sequenceFault(header) { return fault }
        guard let origin = header.origin else { return nil }
        guard origin.begin <= origin.end else {
            return BatchHeaderFault(
                byte: 144, expected: "a source range that begins at or before \(origin.end)",
                found: "\(origin.begin)")
        }
        let source = Source(
            group: origin.group, source: origin.source, partition: origin.sourcePartition)
        let last = ends[source] ?? 0
        ends[source] = origin.end
        guard header.rows == 0 || origin.begin >= last else {
            return BatchHeaderFault(
                byte: 144, expected: "a source range that begins at or after \(last)",
                found: "\(origin.begin)")
        }
        return nil
    }

    mutating func forget() { ends = [:] }

    private mutating func sequenceFault(_ header: BatchHeader) -> BatchHeaderFault? {
        guard header.producer != 0 else { return nil }
        let last = sequences[header.producer]
        sequences[header.producer] = header.sequence
        // Retention tells anew of what it is about to remove.
        let isRestated = header.rows == 0 && header.sequence == last
        guard let last, header.sequence <= last, !isRestated else { return nil }
        return BatchHeaderFault(
            byte: 112, expected: "a sequence above \(last) of producer \(header.producer)",
            found: "\(header.sequence)")
    }

    /// The dictionary ids that a header names; 0 is none.
    static func dictionaryIDs(_ header: BatchHeader) -> [UInt32] {
        let plain = [header.specification, header.producer]
        guard let origin = header.origin else { return plain }
        return plain + [origin.group, origin.source, origin.model, origin.kernelSet]
    }
}
