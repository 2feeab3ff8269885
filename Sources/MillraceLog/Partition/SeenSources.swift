/// From which partitions the batches come that a writer has appended, one right after the other: what
/// is to be durable before them is then known without reading them again.
///
/// **Thread-safety**: one owner.
struct SeenSources: Sendable {
    /// Log position of the first of the batches.
    let start: UInt64
    /// Log position behind the last of them.
    private(set) var end: UInt64
    private var newest: (source: SourcePartition, position: UInt64)?
    /// Log positions of the newest batches of the other sources.
    private var others: [SourcePartition: UInt64] = [:]

    /// No batch yet: the first one is to stand at log position `position`.
    init(from position: UInt64) {
        start = position
        end = position
    }

    /// Takes note of the batch from log position `end` to `next`.
    ///
    /// - Complexity: O(1).
    @inline(__always)
    mutating func pass(_ origin: BatchOrigin?, to next: UInt64) {
        if let origin { see(SourcePartition(origin)) }
        end = next
    }

    private mutating func see(_ source: SourcePartition) {
        if let newest, newest.source != source { others[newest.source] = newest.position }
        newest = (source, end)
    }

    /// The sources of batches at log position `position` or behind it.
    func sources(from position: UInt64) -> Set<SourcePartition> {
        var found = Set(others.filter { $0.value >= position }.keys)
        if let newest, newest.position >= position { found.insert(newest.source) }
        return found
    }
}

/// A partition of what batches are made from.
struct SourcePartition: Hashable, Sendable {
    /// The dictionary's number of the topic or file.
    let source: UInt32
    let partition: Int

    init(_ origin: BatchOrigin) {
        source = origin.source
        partition = Int(origin.sourcePartition)
    }
}
