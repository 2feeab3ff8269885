import MillraceLog
import MillraceSystem
import MillraceTestSupport

/// What a partition must hold, from the notes of the processes that appended to it.
///
/// Every acknowledged batch is there once, whole, at the offset that was promised, with the rows
/// that were given, in the order of its process. A batch that was not acknowledged is there once
/// or not at all; a process that was killed leaves at most one of them, its last.
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
    private var seen: [UInt32: [Seen]] = [:]

    /// An oracle for what follows from `offset` on.
    init(from offset: UInt64 = 0) { nextOffset = offset }

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
        see(baseOffset: batch.baseOffset + UInt64(batch.skippedRows), rows: rows)
    }

    /// Takes the next batch of the log, as plain values.
    mutating func see(baseOffset: UInt64, rows: [[UInt8]]) {
        if baseOffset != nextOffset {
            faults.append("offset \(nextOffset) is followed by \(baseOffset)")
        }
        nextOffset = baseOffset + UInt64(rows.count)
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
        let expected = last.map { $0.first + UInt64($0.rows) } ?? 0
        if head.first != expected {
            faults.append(
                "offset \(baseOffset): row \(head.first) of producer \(head.producer) where "
                    + "\(expected) is due")
        }
        seen[head.producer, default: []].append(
            Seen(
                first: head.first, baseOffset: baseOffset, rows: UInt32(rows.count),
                checksum: checksum))
    }

    /// What is wrong with the rows of a process that has ended, given what it was promised.
    func verdict(on producer: UInt32, _ promises: [Promise]) -> [String] {
        let batches = seen[producer, default: []]
        let found = Dictionary(grouping: batches, by: \.first)
        var faults: [String] = []
        for promise in promises {
            let promised = Seen(
                first: promise.first, baseOffset: promise.baseOffset, rows: promise.rows,
                checksum: promise.checksum)
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

    /// Batches of a process that were not acknowledged.
    func unacknowledged(_ producer: UInt32, _ promises: [Promise]) -> Int {
        seen[producer, default: []].count - Set(promises.map(\.first)).count
    }
}
