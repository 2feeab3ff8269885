import MillraceLog
import MillraceSystem
import MillraceTestSupport

/// Appends rows that describe themselves, and notes each acknowledgement.
///
/// A named producer that is started again appends its last acknowledged batch and the one after it
/// once more: it cannot know whether that was appended when it was killed.
struct Appending {
    private let topic: Topic
    private let partition: Int
    private let producer: UInt32
    private let notes: String
    /// The producer's name; nil for one that the log does not know.
    private let name: String?
    private let mode: AppendMode
    /// Whether each append waits for the disk.
    private let isDurable: Bool
    /// Batches to append; as good as for ever unless told.
    private let batches: Int
    /// Every how many batches to flush, and to note them as durable; 0 for never.
    private let flushEvery: Int
    /// Whether to leave a forked child behind that has all our files open.
    private let forks: Bool
    private var plan: BatchPlan
    /// Sequence of the last batch that may have been appended by an earlier instance.
    private var retried: UInt64 = 0
    /// The rows behind the last acknowledged batch of an earlier instance.
    private var acknowledged: UInt64 = 0

    init(_ topic: Topic, _ partition: Int, _ options: Options) throws {
        self.topic = topic
        self.partition = partition
        producer = UInt32(try options.number("producer"))
        notes = try options.text("notes")
        name = try options.number("named", or: 0) == 1 ? "producer-\(producer)" : nil
        mode = try options.number("mapped", or: 0) == 1 ? .mapped : .write
        isDurable = try options.number("durable", or: 0) == 1
        batches = try options.number("batches", or: .max)
        flushEvery = try options.number("flush", or: 0)
        plan = BatchPlan(
            producer: producer, maxRows: UInt64(try options.number("rows", or: 40)))
        forks = try options.number("forks", or: 0) == 1
    }

    mutating func run() throws {
        let file = try PromiseFile(notes)
        if name != nil { try resume() }
        var writer = try topic.writer(partition: partition, producer: name, mode: mode)
        try checkMemory(of: writer)
        if forks { say("child \(try Forking.leaveChild())") }
        var builder = BatchBuilder()
        var unsynced: [Promise] = []
        for batch in 0..<batches {
            plan.advance()
            let promise = try append(&builder, &writer)
            if plan.first >= acknowledged { try file.note(promise) }
            unsynced.append(promise)
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

    /// Goes back to the last batch that an earlier instance noted.
    private mutating func resume() throws {
        guard let noted = try PromiseFile.read(notes) else {
            throw Complaint("the notes are damaged")
        }
        guard let last = noted.map(\.first).max() else {
            retried = 1
            return
        }
        var next = plan
        next.advance()
        while next.first < last {
            plan = next
            next.advance()
        }
        guard next.first == last else { throw Complaint("row \(last) begins no batch") }
        acknowledged = next.first + UInt64(next.rows)
        retried = next.sequence + 1
    }

    /// The log knows the producer's last batch: the one that was acknowledged, or the next.
    private func checkMemory(of writer: borrowing PartitionWriter) throws {
        guard name != nil else { return }
        let known = writer.lastSequence ?? 0
        guard known == retried || known + 1 == retried else {
            throw Complaint("the log knows sequence \(known), \(retried) is to be tried next")
        }
    }

    private func append(
        _ builder: inout BatchBuilder, _ writer: inout PartitionWriter
    ) throws -> Promise {
        let checksum = fill(&builder)
        if name != nil { builder.sequence = plan.sequence }
        let receipt = try writer.append(&builder, acknowledgement: isDurable ? .durable : nil)
        guard !receipt.isDuplicate || plan.sequence <= retried else {
            throw Complaint("sequence \(plan.sequence) is new and was called a duplicate")
        }
        guard receipt.isDuplicate || plan.first >= acknowledged else {
            throw Complaint("sequence \(plan.sequence) was acknowledged and is appended again")
        }
        return Promise(
            first: plan.first, baseOffset: receipt.baseOffset ?? Promise.unknownOffset,
            rows: plan.rows, kind: isDurable ? .durable : .appended, checksum: checksum)
    }

    /// Puts the rows of the batch into the builder; returns the checksum of their bytes.
    private func fill(_ builder: inout BatchBuilder) -> UInt32 {
        var checksum: UInt32 = 0
        for sequence in plan.first..<plan.first + UInt64(plan.rows) {
            let bytes = ProcessRow(
                producer: producer, sequence: sequence, first: plan.first, rows: plan.rows
            ).bytes
            checksum = CRC32C.checksum(of: bytes.span, seed: checksum)
            builder.append(value: bytes.span)
        }
        return checksum
    }
}
