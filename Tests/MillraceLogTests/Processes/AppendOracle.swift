import MillraceLog
import MillraceSystem
import MillraceTestSupport

/// What a partition must hold, from the notes of the processes that appended to it.
///
/// Every acknowledged batch is there once, whole, at the offset that was promised, with the rows
/// that were given, in the order of its process. A batch that was not acknowledged is there once
/// or not at all; a process that was killed leaves at most one of them, its last. Where retention
/// removes rows, what it has left begins at some batch, and from there on everything is there.
/// Offsets are dense within an epoch.
///
/// It knows nothing of the log's format: it is shown what a reader gives out.
struct AppendOracle {
    /// A batch as it was read.
    private struct Seen: Equatable {
        var first: UInt64
        var baseOffset: UInt64
        var rows: UInt32
        var checksum: UInt32
    }

    /// What was wrong with the batches as such, in words.
    private(set) var faults: [String] = []
    /// The offset behind the last batch seen.
    private(set) var nextOffset: UInt64
    /// The first offset that is looked at.
    private let start: UInt64
    private var epoch: UInt32 = 0
    private var seen: [UInt32: [Seen]] = [:]
    private var places: [UInt64: Seen] = [:]

    /// An oracle for what follows from `offset` on, where retention has left the log to begin.
    init(from offset: UInt64 = 0) {
        nextOffset = offset
        start = offset
    }

    /// The processes that have rows in the log.
    var producers: Set<UInt32> { Set(seen.keys) }

    /// Takes the next batch of the log.
    mutating func see(_ batch: borrowing RecordBatch) {
        var rows: [[UInt8]] = []
        for index in batch.skippedRows..<batch.rows {
            let value = batch.value(index)
            var bytes: [UInt8] = []
            for byte in value.indices { bytes.append(value[byte]) }
            rows.append(bytes)
        }
        see(
            baseOffset: batch.baseOffset + UInt64(batch.skippedRows), rows: rows,
            epoch: batch.epoch)
    }

    /// Takes the next batch of the log, as plain values.
    mutating func see(baseOffset: UInt64, rows: [[UInt8]], epoch: UInt32 = 1) {
        if baseOffset < nextOffset || baseOffset > nextOffset && epoch == self.epoch
            || epoch < self.epoch
        {
            faults.append(
                "offset \(nextOffset) of epoch \(self.epoch) is followed by \(baseOffset) of "
                    + "epoch \(epoch)")
        }
        nextOffset = baseOffset + UInt64(rows.count)
        self.epoch = epoch
        // Without rows: what retention keeps of a producer.
        if rows.isEmpty { return }
        guard let head = rows.first.flatMap({ ProcessRow($0.span) }) else {
            faults.append("offset \(baseOffset) holds bytes that nobody wrote")
            return
        }
        var checksum: UInt32 = 0
        for (index, bytes) in rows.enumerated() {
            let expected = ProcessRow(
                producer: head.producer, sequence: head.first + UInt64(index), first: head.first,
                rows: UInt32(rows.count))
            guard bytes == expected.bytes else {
                faults.append("offset \(baseOffset) + \(index) does not hold \(expected)")
                return
            }
            checksum = CRC32C.checksum(of: bytes.span, seed: checksum)
        }
        let last = seen[head.producer, default: []].last
        let expected = last.map { $0.first + UInt64($0.rows) } ?? (start == 0 ? 0 : head.first)
        if head.first != expected {
            faults.append(
                "offset \(baseOffset): row \(head.first) of producer \(head.producer) where "
                    + "\(expected) is due")
        }
        let batch = Seen(
            first: head.first, baseOffset: baseOffset, rows: UInt32(rows.count), checksum: checksum)
        seen[head.producer, default: []].append(batch)
        places[baseOffset] = batch
    }

    /// What is wrong with the rows of a process that has ended, given what it was promised.
    func verdict(on producer: UInt32, _ promises: [Promise]) -> [String] {
        let batches = seen[producer, default: []]
        let found = Dictionary(grouping: batches, by: \.first)
        var faults: [String] = []
        for promise in promises where !isRemoved(promise, batches.first) {
            let promised = Seen(
                first: promise.first,
                baseOffset: promise.baseOffset == Promise.unknownOffset
                    ? found[promise.first]?.first?.baseOffset ?? 0 : promise.baseOffset,
                rows: promise.rows, checksum: promise.checksum)
            if found[promise.first] != [promised] {
                faults.append(
                    "producer \(producer): \(promise) and found \(found[promise.first] ?? [])")
            }
        }
        let acknowledged = Set(promises.map(\.first))
        let extra = batches.filter { !acknowledged.contains($0.first) }
        if extra.count > 1 {
            faults.append("producer \(producer): \(extra.count) batches that nobody acknowledged")
        } else if let one = extra.first, one != batches.last {
            faults.append("producer \(producer): \(one) was not acknowledged and is not the last")
        }
        return faults
    }

    /// Whether retention may have removed the batch.
    private func isRemoved(_ promise: Promise, _ first: Seen?) -> Bool {
        if promise.baseOffset != Promise.unknownOffset { return promise.baseOffset < start }
        // Where it was nobody said, but what the process appended later comes later.
        return start > 0 && promise.first < first?.first ?? .max
    }

    /// What is wrong with what a reader saw while processes appended.
    func verdict(onSeen batches: [Promise]) -> [String] {
        batches.filter { $0.baseOffset >= start }.compactMap { batch in
            let seen = Seen(
                first: batch.first, baseOffset: batch.baseOffset, rows: batch.rows,
                checksum: batch.checksum)
            guard places[batch.baseOffset] != seen else { return nil }
            let place = places[batch.baseOffset].map { "\($0)" } ?? "nothing"
            return "a reader saw \(batch), and there is \(place)"
        }
    }

    /// Batches of a process that were not acknowledged.
    func unacknowledged(_ producer: UInt32, _ promises: [Promise]) -> Int {
        let acknowledged = Set(promises.map(\.first))
        return seen[producer, default: []].count { !acknowledged.contains($0.first) }
    }
}
