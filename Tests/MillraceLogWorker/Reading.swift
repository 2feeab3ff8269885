import MillraceLog
import MillraceSystem
import MillraceTestSupport

/// Reads a partition and checks that each row is one that somebody wrote, in whole batches.
enum Reading {
    /// Reads to the end of the log, or on and on.
    static func follow(_ topic: Topic, _ partition: Int, forever: Bool) throws {
        var reader = try topic.reader(partition: partition)
        var expected: [UInt32: UInt64] = [:]
        var next = reader.nextOffset
        repeat {
            while let batch = try reader.next() {
                guard batch.baseOffset == next else {
                    throw Complaint("offset \(batch.baseOffset) follows \(next)")
                }
                next = batch.endOffset
                try check(batch, &expected)
            }
            if forever { PinnedThread.sleep(nanoseconds: 200_000) }
        } while forever
        say("rows \(next)")
    }

    private static func check(
        _ batch: borrowing RecordBatch, _ expected: inout [UInt32: UInt64]
    ) throws {
        for index in 0..<batch.rows {
            let offset = batch.baseOffset + UInt64(index)
            guard let row = ProcessRow(batch.value(index)) else {
                throw Complaint("offset \(offset) holds bytes that nobody wrote")
            }
            let sequence = row.first + UInt64(index)
            guard row.rows == batch.rows, row.sequence == sequence else {
                throw Complaint("offset \(offset) holds \(row), row \(index) of \(batch.rows)")
            }
            guard row.sequence == expected[row.producer, default: 0] else {
                throw Complaint("offset \(offset) holds \(row), out of turn")
            }
            expected[row.producer] = row.sequence + 1
        }
    }
}
