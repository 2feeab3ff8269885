internal import Foundation
internal import Glibc
internal import Millrace
internal import Synchronization

/// What it costs to take batches from an asynchronous sequence and not by a handler: stored batches
/// of 1,024 rows with 64 float32 features, the features added up, and batches of one small row.
enum SequenceCost {
    static func run(rounds: Int) async throws {
        let directory = try GroupRecord.workDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let data = try DataDirectory(directory, create: true)
        for (name, rows, features, batches) in [("large", 1024, 64, 512), ("small", 1, 1, 4096)] {
            let topic = try data.topic(
                name,
                creating: TopicConfiguration(kind: .features, features: features, codec: .none))
            try fill(topic, rows: rows, batches: batches)
            var handled: [Double] = []
            var asked: [Double] = []
            for round in 0..<rounds + 1 {
                let handler =
                    try byHandler(data, topic, group: "h\(name)\(round)") / Double(batches)
                let sequence =
                    try await bySequence(data, topic, group: "s\(name)\(round)") / Double(batches)
                guard round > 0 else { continue }
                handled.append(handler * 1e6)
                asked.append(sequence * 1e6)
            }
            print("a \(name) batch by a handler, us: \(GroupRecord.spread(handled))")
            print("a \(name) batch by the sequence, us: \(GroupRecord.spread(asked))")
        }
    }

    private static func fill(_ topic: Topic, rows: Int, batches: Int) throws {
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: topic.configuration.features)
        for _ in 0..<batches {
            var memory = builder.addRows(rows)
            for index in memory.indices { memory[index] = Float(index % 97 + 1) }
            try writer.append(&builder)
        }
    }

    private static func byHandler(
        _ data: DataDirectory, _ topic: Topic, group: String
    ) throws -> Double {
        let group = try ConsumerGroup(data: data, name: group, topics: [topic], cores: [0])
        let time = Mutex((first: 0.0, last: 0.0, sum: Float(0)))
        try group.consumeToEnd { _, batch in
            let values = batch.matrix
            var sum: Float = 0
            for index in values.indices { sum += values[index] }
            time.withLock {
                if $0.first == 0 { $0.first = GroupRecord.now() }
                $0.last = GroupRecord.now()
                $0.sum += sum
            }
        }
        return time.withLock { $0.last - $0.first }
    }

    private static func bySequence(
        _ data: DataDirectory, _ topic: Topic, group: String
    ) async throws -> Double {
        let group = try ConsumerGroup(data: data, name: group, topics: [topic], cores: [0])
        var (first, last, total) = (0.0, 0.0, Float(0))
        for try await batch in group.batches(until: .atEnd) {
            for value in batch.features { total += value }
            if first == 0 { first = GroupRecord.now() }
            last = GroupRecord.now()
        }
        precondition(total > 0)
        return last - first
    }
}
