import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// A batch is on the disk only after the rows that it was made from: these are flushed first, and
/// nothing else is.
@Suite struct SourceDurabilityTests {
    private let directory: TemporaryDirectory
    private let rows: Topic
    private let outputs: Topic

    init() throws {
        directory = try TemporaryDirectory("millrace-log")
        let data = try DataDirectory(directory.path, create: true)
        rows = try data.topic("rows", creating: TopicConfiguration(partitions: 4, kind: .bytes))
        outputs = try data.topic("outputs", creating: TopicConfiguration(kind: .bytes))
    }

    /// Owns a writer, so that there can be an array of them.
    private final class WriterBox {
        var writer: PartitionWriter

        init(_ writer: consuming PartitionWriter) { self.writer = writer }
    }

    private func appendRows() throws {
        for partition in 0..<rows.partitions {
            var writer = try rows.writer(partition: partition)
            var builder = BatchBuilder()
            builder.append(value: [1, 2, 3])
            try writer.append(&builder)
        }
    }

    /// A batch that was made from the rows of a partition.
    private func outputs(from partition: Int) throws -> BatchBuilder {
        var builder = BatchBuilder()
        builder.append(value: [4, 5])
        var origin = BatchOrigin()
        origin.source = try outputs.dictionaryID(of: rows.reference)
        origin.group = try outputs.dictionaryID(of: "group")
        origin.sourcePartition = UInt32(partition)
        origin.end = 1
        builder.origin = origin
        return builder
    }

    private func unsynced() throws -> Set<Int> {
        Set(
            try (0..<rows.partitions).filter {
                try rows.status(partition: $0).unsyncedBytes > 0
            })
    }

    @Test(arguments: [1, 2, 3])
    func whoeverAppendsAndFlushes(writers count: Int) throws {
        var random = SplitMix64(seed: UInt64(count))
        let boxes = try (0..<count).map { _ in WriterBox(try outputs.writer(partition: 0)) }
        let everything = Set(0..<rows.partitions)
        for _ in 0..<40 {
            try appendRows()
            #expect(try unsynced() == everything)
            var used: Set<Int> = []
            for _ in 0..<Int.random(in: 0..<6, using: &random) {
                let partition = Int.random(in: 0..<rows.partitions, using: &random)
                used.insert(partition)
                var builder = try outputs(from: partition)
                try boxes[Int.random(in: 0..<count, using: &random)].writer.append(&builder)
            }
            let flusher = boxes[Int.random(in: 0..<count, using: &random)]
            // A writer's flush is for what it has seen.
            var last = try outputs(from: 0)
            used.insert(0)
            try flusher.writer.append(&last)
            try flusher.writer.flush()
            #expect(try outputs.status(partition: 0).unsyncedBytes == 0)
            #expect(try unsynced() == everything.subtracting(used))
        }
    }

    @Test func ofBatchesBeforeTheWriterWasOpened() throws {
        try appendRows()
        var first = try outputs.writer(partition: 0)
        var builder = try outputs(from: 1)
        try first.append(&builder)
        var second = try outputs.writer(partition: 0)
        builder = try outputs(from: 2)
        try second.append(&builder)
        try second.flush()
        #expect(try unsynced() == [0, 3])
    }
}
