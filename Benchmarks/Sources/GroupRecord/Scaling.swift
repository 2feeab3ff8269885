internal import BenchmarkSupport
internal import CBareMetal
internal import Foundation
internal import LogFigures
internal import Millrace
internal import Synchronization

/// What a second slot adds to scanning LZ4 batches and scoring them by an MLP, beside what a second
/// thread adds to bare decoding and to bare multiplications and additions, in the same round.
///
/// A slot reads the partitions that it owns again and again, decodes, scores by MLP 64-128-64-10 and
/// commits each batch. What two slots could reach at most is taken from the shares of one slot's
/// time that go into decoding and into scoring, each with its own bare scaling.
enum Scaling {
    private static let rows = 1024
    private static let batches = 16
    private static let nanoseconds: Int64 = 300_000_000
    private static let widths = [64, 128, 64, 10]

    static func run(rounds: Int) throws {
        let cores = Array(CoreList(automaticOn: .current()).cores.prefix(2))
        guard cores.count == 2 else { return print("two cores are needed, there is one") }
        let directory = try GroupRecord.workDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let data = try DataDirectory(directory, create: true)
        let topic = try fill(data)
        let model = PreparedModel(try network())
        var samples: [String: [Double]] = [:]
        for round in 0..<rounds + 1 {
            let one = Array(cores.prefix(1))
            let scan = try measure(data, topic, nil, one)
            let single = try measure(data, topic, model, one)
            let double = try measure(data, topic, model, cores)
            let decode = try unsafe ratio(cores) {
                unsafe bare_decode_together($0, $1, nanoseconds)
            }
            let multiply = try unsafe ratio(cores) {
                unsafe bare_multiply_together($0, $1, nanoseconds)
            }
            guard round > 0 else { continue }
            let share = min(1, single / scan)
            let ours = double / single
            let possible = 1 / (share / decode + (1 - share) / multiply)
            for (name, value) in [
                ("two slots beside one", ours), ("decoding, two threads beside one", decode),
                ("multiply-add, two threads beside one", multiply),
                ("decoding's share of a slot's time", share),
                ("possible by these", possible), ("reached of what is possible", ours / possible),
                ("one slot, million rows a second", single * 1e-6),
            ] { samples[name, default: []].append(value) }
        }
        print("- Rounds: \(rounds); medians, in brackets the middle half")
        for (name, values) in samples.sorted(by: { $0.key < $1.key }) {
            print("- \(name): \(GroupRecord.spread(values))")
        }
        func spread(_ name: String) -> Spread { Spread(samples[name] ?? []) }
        print("\n" + FigureTable.head)
        print(
            FigureTable.line(
                "Two slots beside one, LZ4 scan and MLP scoring",
                beside: "two threads beside one, bare decoding and bare multiply-add",
                .atLeast(0.95), spread("reached of what is possible"),
                ours: "\(spread("two slots beside one")) times",
                other: "\(spread("possible by these")) times", dropped: 0,
                limit: "what the two share: caches, memory, the host's other programs"))
    }

    private static func fill(_ data: DataDirectory) throws -> Topic {
        let features = try Digits(rows: batches * rows).features
        let topic = try data.topic(
            "digits",
            creating: TopicConfiguration(
                partitions: 2, kind: .features, features: Digits.columns, codec: .lz4))
        for partition in 0..<2 {
            var writer = try topic.writer(partition: partition)
            var builder = BatchBuilder(columns: Digits.columns)
            for batch in 0..<batches {
                var target = builder.addRows(rows)
                let first = batch * rows * Digits.columns
                for index in target.indices { target[index] = features[first + index] }
                try writer.append(&builder)
            }
        }
        // SAFETY: the bytes are copied during the call.
        let code = unsafe features.withUnsafeBytes {
            unsafe bare_use($0.baseAddress, rows * Digits.columns * 4, batches, 0)
        }
        guard code == 0 else { throw POSIXError(.ENOMEM) }
        return topic
    }

    private static func network() throws -> Model {
        var random = SystemRandomNumberGenerator()
        let layers = randomLayers(widths, using: &random)
        var input = InputStage(identity: widths[0])
        input.missing = .propagate
        return try Model(input: input, layers: layers, activation: .relu, head: .identity)
    }

    private static func ratio(
        _ cores: [Int], _ rate: (UnsafePointer<Int32>, Int) -> Double
    ) throws -> Double {
        var numbers = cores.map { Int32($0) }
        // SAFETY: the numbers are read during the call.
        let (one, two) = unsafe (rate(&numbers, 1), rate(&numbers, 2))
        guard one > 0, two > 0 else { throw POSIXError(.EIO) }
        return two / one
    }

    /// Rows a second that a group on `cores` scans, and scores where there is a model.
    private static func measure(
        _ data: DataDirectory, _ topic: Topic, _ model: PreparedModel?, _ cores: [Int]
    ) throws -> Double {
        let group = try ConsumerGroup(data: data, name: "scaling", topics: [topic], cores: cores)
        let rates = Mutex<[Double]>([])
        let waiting = Atomic<Int>(cores.count)
        try group.run { consumer in
            var claims: [GroupConsumer.Claim] = []
            while try claims.count < 2 / cores.count || !consumer.isSettled() {
                guard let changes = try consumer.changes() else { continue }
                claims.removeAll { changes.revoked.contains($0) }
                try consumer.release(changes.revoked)
                claims += changes.granted
            }
            // Each begins and ends when the other does, near enough.
            waiting.subtract(1, ordering: .acquiringAndReleasing)
            while waiting.load(ordering: .acquiring) > 0 {}
            let rate = try work(consumer, claims, topic, model)
            rates.withLock { $0.append(rate) }
        }
        return rates.withLock { $0.reduce(0, +) }
    }

    private static func work(
        _ consumer: GroupConsumer, _ claims: [GroupConsumer.Claim], _ topic: Topic,
        _ model: PreparedModel?
    ) throws -> Double {
        var workspace = model.map { ScoringWorkspace(for: $0) }
        var outputs = [Float](repeating: 0, count: rows * widths[widths.count - 1])
        var done = 0
        var begun = GroupRecord.now()
        var turn = 0
        // The first turn maps the files and touches the memory.
        while turn <= 1 || GroupRecord.now() - begun < Double(nanoseconds) * 1e-9 {
            if turn == 1 { (begun, done) = (GroupRecord.now(), 0) }
            for claim in claims {
                var reader = try topic.reader(partition: claim.partition.partition)
                while let batch = try reader.next() {
                    if let model, var space = workspace.take() {
                        var target = outputs.mutableSpan
                        model.predict(
                            batch.matrix, rows: batch.rows, stride: batch.stride, into: &target,
                            workspace: &space)
                        workspace = consume space
                    }
                    try consumer.commit(claim, next: batch.endOffset)
                    _ = try consumer.changes()
                    done += batch.rows
                }
            }
            turn += 1
        }
        return Double(done) / (GroupRecord.now() - begun)
    }
}
