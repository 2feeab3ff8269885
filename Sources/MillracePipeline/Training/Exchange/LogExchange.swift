internal import MillraceLog
internal import MillraceSystem

/// An exchange through a topic of bytes of the log, for trainers of one host.
final class LogExchange: ExchangeTransport {
    private let topic: Topic
    private var reader: PartitionReader?
    private var writer: PartitionWriter?
    private var builder = BatchBuilder()
    /// Records of the batch that was read last.
    private var waiting: [[UInt8]] = []
    private(set) var position: UInt64 = 0

    private static let pollNanoseconds: Int64 = 500_000

    init(_ topic: Topic) { self.topic = topic }

    /// What such a topic is, for models whose contributions have `contribution` bytes: old rounds go
    /// once some have come after them.
    static func configuration(contribution: Int) -> TopicConfiguration {
        TopicConfiguration(
            kind: .bytes, segmentBytes: 16 << 20,
            retention: RetentionPolicy(bytes: max(256 << 20, 16 * contribution)))
    }

    var name: String { topic.name }
    var identity: UInt64 { topic.id }

    func start() throws -> UInt64 { try topic.startOffset(partition: 0) }
    func end() throws -> UInt64 { try topic.publishedEnd(partition: 0) }

    func seek(to offset: UInt64) throws {
        waiting = []
        position = offset
        try explaining { () throws(LogError) in
            reader = try topic.reader(partition: 0, from: offset)
        }
    }

    /// Runs `body`, saying what to do when records are gone.
    private func explaining<R>(_ body: () throws(LogError) -> R) throws -> R {
        do throws(LogError) { return try body() } catch {
            guard error.code == .offsetOutOfRange else { throw error }
            throw PipelineError(
                .tryLater,
                "exchange topic '\(topic.name)' has lost records before they were read: \(error)",
                advice: "Run the same command again: it goes on with the newest average.")
        }
    }

    func next() throws -> (offset: UInt64, bytes: [UInt8])? {
        if waiting.isEmpty { try fetch() }
        guard !waiting.isEmpty else { return nil }
        position += 1
        return (position - 1, waiting.removeFirst())
    }

    private func fetch() throws {
        guard var reader = reader.take() else { return }
        let found = try explaining { () throws(LogError) in try Self.fetch(&reader) }
        self.reader = consume reader
        guard !found.values.isEmpty else { return }
        position = found.first
        waiting = found.values
    }

    private static func fetch(
        _ reader: inout PartitionReader
    ) throws(LogError) -> (first: UInt64, values: [[UInt8]]) {
        guard let batch = try reader.next() else { return (0, []) }
        var values: [[UInt8]] = []
        for row in batch.skippedRows..<batch.rows {
            let value = batch.value(row)
            values.append(value.indices.map { value[$0] })
        }
        return (batch.baseOffset + UInt64(batch.skippedRows), values)
    }

    func append(_ records: [[UInt8]]) throws {
        var open = try self.writer.take() ?? topic.writer(partition: 0)
        for record in records {
            builder.append(value: record)
            try open.append(&builder)
        }
        self.writer = consume open
    }

    func flush() throws { try topic.flush(partition: 0) }

    func rest() { PinnedThread.sleep(nanoseconds: Self.pollNanoseconds) }

    func close() throws { try writer.take()?.close() }
}
