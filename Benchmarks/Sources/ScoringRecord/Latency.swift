internal import BenchmarkSupport
internal import CBareMetal
internal import Foundation
internal import LogFigures
internal import Millrace
internal import Synchronization

/// From before the append of one row to its prediction seen in another topic, by the thread that
/// appended.
///
/// Two pinned threads that look without a pause, MLP 64-128-64-10, mapped appends of one row. One
/// appends a row to a topic of features and waits for its prediction; the other reads it, scores it
/// with a `Scorer` of a model that is followed, and appends the prediction.
enum Latency {
    private static let network = Network.all[0]

    static func run(rounds: Int) throws {
        let directory = try WorkDirectory()
        let data = try DataDirectory(directory.path, create: true)
        let inputs = network.widths[0]
        let source = try data.topic(
            "rows", creating: TopicConfiguration(kind: .features, features: inputs, codec: .none))
        let output = try data.topic(
            "scores",
            creating: TopicConfiguration(
                kind: .predictions, codec: .none))
        let repository = ModelRepository(path: directory.path + "/models")
        _ = try repository.publish(network.model(), as: "network", Publication(key: ""))
        let feed = try ModelFeed(repository, "network", core: 0)
        let service = Service(source: source, output: output, feed: feed)
        let thread = Thread { service.run(core: Machine.cores - 1) }
        thread.start()
        let times = try measure(source, output, service, rounds: rounds)
        service.end()
        try service.outcome.withLock { try $0.get() }
        report(times)
    }

    private static func measure(
        _ source: Topic, _ output: Topic, _ service: Service, rounds: Int
    ) throws -> [Int64] {
        guard bare_pin(0) == 0 else { throw Peer.Failure("core 0 is not there") }
        let features = network.features(256)
        let width = network.widths[0]
        var writer = try source.writer(partition: 0, mode: .mapped)
        var reader = try output.reader(partition: 0)
        var builder = BatchBuilder(columns: width)
        var times: [Int64] = []
        times.reserveCapacity(rounds)
        for round in 0..<rounds {
            fill(&builder, features.span, row: round % 256)
            let begun = bare_clock()
            try writer.append(&builder)
            while true {
                guard let batch = try reader.next() else {
                    if service.hasEnded { try service.outcome.withLock { try $0.get() } }
                    continue
                }
                times.append(bare_clock() - begun)
                guard batch.rows == 1, batch.baseOffset == UInt64(round) else {
                    throw Peer.Failure("prediction \(round) is not there")
                }
                break
            }
        }
        try writer.close()
        return times
    }

    private static func fill(
        _ builder: inout BatchBuilder, _ features: Span<Float>, row: Int
    ) {
        var target = builder.addRows(1)
        for column in target.indices { target[column] = features[row * target.count + column] }
    }

    private static func report(_ times: [Int64]) {
        // The first tenth makes pages and fills caches.
        let ordered = times.dropFirst(times.count / 10).sorted()
        print("\n| From an append to its prediction | Asked | Rows | Measured |")
        print("| --- | --- | --- | --- |")
        for (name, part, most) in [("median", 0.5, 3.0), ("p99", 0.99, 15), ("p99.9", 0.999, nil)] {
            let micros = Double(ordered[Int(Double(ordered.count - 1) * part)]) / 1000
            let asked = most.map { "<= \(decimal($0)) us" } ?? "-"
            let verdict = most.map { micros <= $0 ? " met" : " **missed**" } ?? ""
            print("| \(name) | \(asked) | \(ordered.count) | \(decimal(micros)) us\(verdict) |")
        }
    }
}

/// The thread that scores.
private final class Service: Sendable {
    private let source: Topic
    private let output: Topic
    private let feed: ModelFeed
    private let isStopped = Atomic(false)
    private let isOver = Atomic(false)
    let outcome = Mutex(Result<Void, any Error>.success(()))

    init(source: Topic, output: Topic, feed: ModelFeed) {
        self.source = source
        self.output = output
        self.feed = feed
    }

    var hasEnded: Bool { isOver.load(ordering: .acquiring) }

    func run(core: Int) {
        let result = Result { try score(core: core) }
        outcome.withLock { $0 = result }
        isOver.store(true, ordering: .releasing)
    }

    private func score(core: Int) throws {
        guard bare_pin(Int32(core)) == 0 else { throw Peer.Failure("no core \(core)") }
        var scorer = Scorer(feed)
        var reader = try source.reader(partition: 0)
        var writer = try output.writer(partition: 0, mode: .mapped)
        var builder = BatchBuilder(columns: scorer.outputWidth)
        while !isStopped.load(ordering: .relaxed) {
            guard let batch = try reader.next() else { continue }
            do {
                var target = builder.addRows(batch.rows)
                scorer.predict(
                    FeatureMatrix(batch.matrix, rows: batch.rows, stride: batch.stride),
                    into: &target)
            }
            try writer.append(&builder)
        }
        try writer.close()
    }

    func end() {
        isStopped.store(true, ordering: .relaxed)
        while !hasEnded { usleep(1000) }
    }
}
