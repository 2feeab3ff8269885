import MillraceLog
import MillraceSystem
import MillraceTestSupport

/// Appends rows that describe themselves, and notes each acknowledgement.
struct Appending {
    private let topic: Topic
    private let partition: Int
    private let producer: UInt32
    private let notes: String
    /// Batches to append; as good as for ever unless told.
    private let batches: Int
    /// Most rows in a batch.
    private let maxRows: UInt64
    /// Every how many batches to flush, and to note them as durable; 0 for never.
    private let flushEvery: Int

    init(_ topic: Topic, _ partition: Int, _ options: Options) throws {
        self.topic = topic
        self.partition = partition
        producer = UInt32(try options.number("producer"))
        notes = try options.text("notes")
        batches = try options.number("batches", or: .max)
        maxRows = UInt64(try options.number("rows", or: 40))
        flushEvery = try options.number("flush", or: 0)
    }

    func run() throws {
        var random = SplitMix64(seed: UInt64(producer))
        let file = try PromiseFile(notes)
        var writer = try topic.writer(partition: partition)
        var builder = BatchBuilder()
        var sequence: UInt64 = 0
        var unsynced: [Promise] = []
        for batch in 0..<batches {
            let rows = UInt32(1 + random.next() % maxRows)
            let checksum = fill(&builder, sequence, rows)
            let base = try writer.append(&builder).baseOffset ?? 0
            let promise = Promise(
                first: sequence, baseOffset: base, rows: rows, kind: .appended,
                checksum: checksum)
            try file.note(promise)
            unsynced.append(promise)
            sequence += UInt64(rows)
            guard flushEvery > 0, batch % flushEvery == flushEvery - 1 else { continue }
            try writer.flush()
            for var promise in unsynced {
                promise.kind = .durable
                try file.note(promise)
            }
            unsynced.removeAll(keepingCapacity: true)
        }
        try writer.close()
    }

    /// Puts the next `rows` rows into the builder; returns the checksum of their bytes.
    private func fill(_ builder: inout BatchBuilder, _ first: UInt64, _ rows: UInt32) -> UInt32 {
        var checksum: UInt32 = 0
        for sequence in first..<first + UInt64(rows) {
            let bytes = ProcessRow(
                producer: producer, sequence: sequence, first: first, rows: rows
            ).bytes
            checksum = CRC32C.checksum(of: bytes.span, seed: checksum)
            builder.append(value: bytes.span)
        }
        return checksum
    }
}
