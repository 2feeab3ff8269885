internal import MillraceLog
internal import MillraceSystem

/// Where a record is, and when it was made.
struct RecordPlace: CustomStringConvertible {
    var topic: KafkaAddress
    var partition: Int
    var offset: Int64
    /// Since 1970; nil when the record has no time.
    var milliseconds: Int64?

    var description: String { "\(topic), partition \(partition), offset \(offset)" }
}

/// One partition of a Kafka topic on its way into a partition of the log.
///
/// Every batch says which offsets it covers, those without a record included: what control
/// records and compaction leave out, and records that were skipped. The newest batch is the truth
/// about where to go on.
/// **Thread-safety**: one owner.
final class InboundLane {
    /// The partition in Kafka.
    let partition: Int
    /// The partition in the log.
    let target: Int
    /// Whether the end has been reached that was there when the mirror began.
    var isAtEnd = false
    /// The offset of the next record.
    private(set) var next: Int64
    private(set) var rows = 0
    private(set) var records = 0
    private(set) var batches = 0
    private(set) var bytes = 0
    private(set) var skipped: [BadRecordReason: Int] = [:]
    private let source: UInt32
    private var begin: Int64
    private var builder: BatchBuilder
    private var writer: PartitionWriter?
    private var reader: RecordReader
    private let policy: BadRecordPolicy
    private let onRows: @Sendable (Int) -> Void
    /// Records since the last append, for the count of those that are in the log.
    private var waitingRecords = 0
    private var waitingBytes = 0
    private var waitingSkips: [BadRecordReason: Int] = [:]

    private static let mostRows = 4096
    private static let mostBytes = 4 << 20
    private static let mostOffsets: Int64 = 1 << 31

    /// Opens the lane; `start` is where to begin when nothing was copied yet.
    init(
        _ topic: Topic, source name: String, partition: Int, format: KafkaFormat,
        policy: BadRecordPolicy, start: Int64,
        onRows: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws(LogError) {
        self.partition = partition
        target = partition % topic.partitions
        self.policy = policy
        self.onRows = onRows
        let configuration = topic.configuration
        builder = BatchBuilder(columns: configuration.features)
        reader = RecordReader(format, for: configuration)
        // The writer comes first: should another mirror copy the partition from now on, the
        // later of us to append is refused.
        let writer = try topic.writer(partition: target, producer: "\(name)/\(partition)")
        source = try topic.dictionaryID(of: name)
        let last = try topic.lastOrigin(
            partition: target, source: name, sourcePartition: partition)
        next = last.map { Int64($0.origin.end) } ?? start
        begin = next
        self.writer = consume writer
    }

    /// Goes on at `offset`, the records before it being lost.
    func skip(to offset: Int64) {
        begin = offset
        next = offset
    }

    /// Takes a record; it is in the log after the next `append`.
    ///
    /// - Throws: `KafkaError` with `badRecord` where that is the policy; what was taken before is
    ///   appended then.
    func take(
        value: Span<UInt8>?, key: Span<UInt8>?, _ about: RecordPlace,
        headers: () throws(RecordFault) -> [RowHeader] = { () throws(RecordFault) in [] }
    ) throws(KafkaError) {
        let offset = about.offset
        guard offset >= next else { return }
        guard offset < Int64(LogLimits.maxOffset) else {
            throw KafkaError(
                .offsetOutOfRange, "offsets from 2^55 on cannot be recorded",
                at: about.description)
        }
        if offset - begin >= Self.mostOffsets {
            try append()
            // A gap as wide as that need not be covered to be passed.
            begin = offset
        }
        let delta = UInt32(offset - begin)
        do throws(RecordFault) {
            let context = RecordContext(
                timestamp: about.milliseconds.map { Self.nanoseconds($0) }
                    ?? Clock.wallNanoseconds(),
                sourceDelta: delta, headers: try headers())
            _ = try reader.add(value: value, key: key, context, to: &builder)
        } catch {
            if policy == .stop {
                try append()
                throw KafkaError(
                    .badRecord, error.message,
                    at: about.description,
                    advice: "Everything before it is copied; --on-bad-record skip leaves such "
                        + "records out.")
            }
            builder.drop(sourceDelta: delta, reason: error.reason.rawValue)
            waitingSkips[error.reason, default: 0] += 1
        }
        waitingRecords += 1
        waitingBytes += value?.count ?? 0
        next = offset + 1
        if builder.rows >= Self.mostRows || builder.byteCount >= Self.mostBytes
            || builder.dropCount >= Self.mostRows
        {
            try append()
        }
    }

    private static func nanoseconds(_ milliseconds: Int64) -> Int64 {
        let (time, isTooLarge) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return isTooLarge ? .max : time
    }

    /// Appends what was taken, with the offsets that it covers.
    func append() throws(KafkaError) {
        guard next > begin, builder.rows > 0 || builder.dropCount > 0 else { return }
        var origin = BatchOrigin()
        origin.source = source
        origin.sourcePartition = UInt32(partition)
        origin.begin = UInt64(begin)
        origin.end = UInt64(next)
        builder.origin = origin
        builder.sequence = UInt64(next)
        let count = builder.rows
        do throws(LogError) { try writer?.append(&builder) } catch {
            throw Self.refused(error, partition)
        }
        rows += count
        onRows(count)
        records += waitingRecords
        bytes += waitingBytes
        batches += 1
        skipped.merge(waitingSkips) { $0 + $1 }
        waitingRecords = 0
        waitingBytes = 0
        waitingSkips = [:]
        begin = next
    }

    private static func refused(_ error: LogError, _ partition: Int) -> KafkaError {
        guard error.code == .fenced else { return KafkaError(error) }
        return KafkaError(
            .fenced, "another mirror has copied from this partition into the topic meanwhile",
            at: "partition \(partition)", advice: KafkaError.oneAtATime)
    }

    /// Ends the writing, everything being on the disk.
    func close() throws(KafkaError) {
        do throws(LogError) { try writer.take()?.close() } catch { throw KafkaError(error) }
    }
}
