internal import Foundation
internal import Glibc
internal import Millrace
internal import Synchronization

/// What the group's machinery (asking for changes, checking, a commit a batch) adds to scanning
/// stored batches of 1,024 rows with 64 float32 features.
///
/// Both scans read the same batches in the page cache with a reader of their own and add up all
/// features of each. The pure cost is measured as well: the same calls without a batch.
enum GroupCost {
    private static let rows = 1024
    private static let features = 64
    private static let batches = 512

    static func run(rounds: Int) throws {
        let directory = try GroupRecord.workDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let data = try DataDirectory(directory, create: true)
        let topic = try data.topic(
            "in", creating: TopicConfiguration(kind: .features, features: features, codec: .none))
        try fill(topic)
        let ratios = Mutex<[Double]>([])
        let bare = Mutex<[Double]>([])
        let calls = Mutex<[Double]>([])
        let group = try ConsumerGroup(data: data, name: "g", topics: [topic], cores: [0])
        try group.run { consumer in
            let claim = try consumer.changes()?.granted.first
            guard let claim else { return }
            for round in 0..<rounds + 2 {
                // In turn, first the one and then the other.
                let isFirst = round % 2 == 0
                let plain = try isFirst ? scan(topic) : 0
                let ours = try scan(topic, consumer, claim)
                let other = try isFirst ? plain : scan(topic)
                guard round >= 2 else { continue }
                ratios.withLock { $0.append(ours / other) }
                bare.withLock { $0.append(other / Double(batches) * 1e9) }
                let pure = try pureCalls(consumer, claim)
                calls.withLock { $0.append(pure) }
            }
        }
        let ratio = GroupRecord.spread(ratios.withLock { $0 })
        print("scan with the group beside a bare scan: \(ratio)")
        print("a bare batch, ns: \(GroupRecord.spread(bare.withLock { $0 }))")
        print("the group's calls for a batch, ns: \(GroupRecord.spread(calls.withLock { $0 }))")
    }

    private static func fill(_ topic: Topic) throws {
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: features)
        for _ in 0..<batches {
            var memory = builder.addRows(rows)
            for index in memory.indices { memory[index] = Float(index % 97) }
            try writer.append(&builder)
        }
    }

    private static func sum(_ batch: borrowing RecordBatch) -> Float {
        let values = batch.matrix
        var sums = SIMD8<Float>.zero
        for place in stride(from: 0, to: values.count, by: 8) {
            sums += SIMD8(
                values[place], values[place + 1], values[place + 2], values[place + 3],
                values[place + 4], values[place + 5], values[place + 6], values[place + 7])
        }
        return sums.sum()
    }

    private static func scan(_ topic: Topic) throws -> Double {
        var reader = try topic.reader(partition: 0)
        var total: Float = 0
        let begun = GroupRecord.now()
        while let batch = try reader.next() { total += sum(batch) }
        let seconds = GroupRecord.now() - begun
        precondition(total > 0)
        return seconds
    }

    private static func scan(
        _ topic: Topic, _ consumer: GroupConsumer, _ claim: GroupConsumer.Claim
    ) throws -> Double {
        var reader = try topic.reader(partition: 0)
        var total: Float = 0
        let begun = GroupRecord.now()
        while true {
            if try consumer.changes() != nil { break }
            guard let batch = try reader.next() else { break }
            total += sum(batch)
            try consumer.commit(claim, next: batch.endOffset)
            if consumer.mayHaveChanged { continue }
        }
        let seconds = GroupRecord.now() - begun
        precondition(total > 0)
        return seconds
    }

    /// Nanoseconds of what a batch costs besides the batch.
    private static func pureCalls(
        _ consumer: GroupConsumer, _ claim: GroupConsumer.Claim
    ) throws -> Double {
        let turns = 10_000
        let begun = GroupRecord.now()
        for turn in 0..<turns {
            if try consumer.changes() != nil { break }
            try consumer.commit(claim, next: UInt64(turn))
            if consumer.mayHaveChanged { continue }
        }
        return (GroupRecord.now() - begun) / Double(turns) * 1e9
    }
}
