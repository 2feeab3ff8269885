import MillraceLog
import MillraceSystem
import MillraceTestSupport

/// Reads a partition and checks that each row is one that somebody wrote, in whole batches, each
/// producer's in order.
struct Reading {
    private let strategy: WaitStrategy
    /// Whether retention may remove rows before they are read.
    private let isTrimmed: Bool
    /// Where to note what was seen.
    private let notes: String
    /// The row that comes next, of each producer that was seen.
    private var expected: [UInt32: UInt64] = [:]
    private var next: UInt64 = 0
    private var epoch: UInt32 = 0

    init(_ options: Options) throws {
        let name = options.text("wait", or: "sleep")
        guard let strategy = WaitStrategy(rawValue: name) else {
            throw Complaint("'\(name)' is no way to wait")
        }
        self.strategy = strategy
        isTrimmed = try options.number("trimmed", or: 0) == 1
        notes = options.text("notes", or: "/dev/null")
    }

    /// Reads on and on.
    mutating func follow(_ topic: Topic, _ partition: Int) throws {
        let file = try PromiseFile(notes)
        var reader = try open(topic, partition)
        while true {
            while let batch = try reader.next() {
                if let promise = try check(batch) { try file.note(promise) }
            }
            _ = try reader.wait(strategy, nanoseconds: 10_000_000)
        }
    }

    /// Reads to the end of the log and says where that is.
    mutating func readToEnd(_ topic: Topic, _ partition: Int) throws {
        var reader = try open(topic, partition)
        while let batch = try reader.next() { _ = try check(batch) }
        say("rows \(next)")
    }

    private mutating func open(_ topic: Topic, _ partition: Int) throws -> PartitionReader {
        let reader = try topic.reader(
            partition: partition, onOutOfRange: isTrimmed ? .earliest : .error)
        next = reader.nextOffset
        return reader
    }

    /// Checks a batch; returns what was seen, nil for a batch without rows.
    private mutating func check(_ batch: borrowing RecordBatch) throws -> Promise? {
        // A crash of the machine leaves offsets out, and so do rows that retention has removed.
        guard batch.baseOffset == next || batch.baseOffset > next && mayJump(batch) else {
            throw Complaint("offset \(batch.baseOffset) follows \(next)")
        }
        let jumped = isTrimmed && batch.baseOffset > next
        next = batch.endOffset
        epoch = batch.epoch
        if jumped { expected.removeAll() }
        guard batch.rows > 0 else { return nil }
        return try checkRows(batch)
    }

    private func mayJump(_ batch: borrowing RecordBatch) -> Bool {
        isTrimmed || batch.epoch > epoch
    }

    private mutating func checkRows(_ batch: borrowing RecordBatch) throws -> Promise {
        var checksum: UInt32 = 0
        var head: ProcessRow?
        for index in 0..<batch.rows {
            let offset = batch.baseOffset + UInt64(index)
            let value = batch.value(index)
            guard let row = ProcessRow(value) else {
                throw Complaint("offset \(offset) holds bytes that nobody wrote")
            }
            let first = head ?? row
            head = first
            guard row.rows == batch.rows, row.first == first.sequence,
                row.producer == first.producer, row.sequence == row.first + UInt64(index)
            else {
                throw Complaint("offset \(offset) holds \(row), row \(index) of \(batch.rows)")
            }
            checksum = CRC32C.checksum(of: value, seed: checksum)
        }
        guard let head else { throw Complaint("offset \(batch.baseOffset) holds no row") }
        let due = expected[head.producer] ?? (isTrimmed ? head.first : 0)
        guard head.first == due else {
            throw Complaint("offset \(batch.baseOffset) holds \(head), \(due) is due")
        }
        expected[head.producer] = due + UInt64(batch.rows)
        return Promise(
            first: head.first, baseOffset: batch.baseOffset, rows: head.rows, kind: .seen,
            checksum: checksum)
    }
}
