internal import BenchmarkSupport
internal import CBareMetal
internal import Foundation
internal import LogFigures
internal import Logging
internal import Millrace
internal import Synchronization

/// A topic of some size that is written, and scored into a topic of predictions.
final class GrowthJob {
    private static let model = "network"

    private let size: Size
    private let directory: WorkDirectory
    private let data: DataDirectory
    private let digits: Digits
    private let operations: Double
    private var runs = 0

    init(_ size: Size) throws {
        self.size = size
        directory = try WorkDirectory()
        data = try DataDirectory(directory.path, create: true)
        digits = try Digits(rows: Digits.images)
        let network = Network(name: Self.model, widths: [size.features, 128, 64, 10])
        operations = network.operationsPerRow
        _ = try ModelRepository(path: directory.path + "/models").publish(
            network.model(), as: Self.model, Publication(key: ""))
    }

    /// What the samples say.
    struct Outcome {
        /// Million rows a second.
        var append: [Double] = []
        var score: [Double] = []
        /// Nanoseconds of one slot for an operation of the model.
        var perOperation: [Double] = []
        /// The bucket in which the 99th percentile of a batch lies, by its upper bound.
        var p99: [Double] = []
        /// MiB at the most.
        var memory: [Double] = []

        var cost: Spread { Spread(perOperation) }

        var line: String {
            "\(Spread(append)) M rows/s | \(Spread(score)) M rows/s "
                + "| \(Spread(score.map { 1000 / $0 })) ns "
                + "| <= \(decimal(Spread(p99).median / 1000)) us | \(Spread(memory)) MiB"
        }
    }

    func run(samples: Int) throws -> Outcome {
        var outcome = Outcome()
        for sample in 0..<samples {
            let appending = try append(sample)
            // The first run maps the files.
            if sample == 0 { _ = try score() }
            let watch = MemoryWatch()
            let (seconds, p99) = try score()
            outcome.memory.append(watch.end())
            outcome.append.append(Double(size.rows) / appending / 1e6)
            outcome.score.append(Double(size.rows) / seconds / 1e6)
            outcome.perOperation.append(
                seconds * Double(size.slots) / Double(size.rows) / operations)
            outcome.p99.append(p99)
        }
        return outcome
    }

    /// Writes the topic anew; returns the seconds, opening and closing included.
    private func append(_ sample: Int) throws -> Double {
        if sample > 0 { try data.deleteTopic("rows") }
        let topic = try data.topic(
            "rows",
            creating: TopicConfiguration(
                partitions: size.partitions, kind: .features, features: size.features,
                codec: size.isCompressed ? .lz4 : .none,
                filter: size.isCompressed ? .split : .none))
        var builder = BatchBuilder(columns: size.features)
        let begun = bare_clock()
        for partition in 0..<size.partitions {
            var writer = try topic.writer(partition: partition)
            let end = size.rows * (partition + 1) / size.partitions
            var row = size.rows * partition / size.partitions
            while row < end {
                let count = min(size.batch, end - row)
                fill(builder.addRows(count), from: row)
                try writer.append(&builder)
                row += count
            }
        }
        return Double(bare_clock() - begun) / 1e9
    }

    /// The rows from `first` on, by the recipe.
    private func fill(_ target: consuming MutableSpan<Float>, from first: Int) {
        let width = size.features
        for row in 0..<target.count / width {
            for column in 0..<width {
                let image = (first + row + column / Digits.columns) % Digits.images
                target[row * width + column] =
                    digits.features[image * Digits.columns + column % Digits.columns]
            }
        }
    }

    /// Scores the topic into a new one; returns the seconds, and nanoseconds of a batch.
    private func score() throws -> (seconds: Double, p99: Double) {
        runs += 1
        let output = "scores-\(runs)"
        let stage = ScoreStage(
            from: "rows", to: Reference(output), model: ModelReference(Self.model))
        let definition = PipelineDefinition(
            topics: [
                try .existing("rows", data: directory.path),
                TopicDefinition(
                    name: output, partitions: size.partitions, content: .predictions),
            ],
            stages: [StageDefinition(name: output, work: .score(stage))])
        let cores = Array((0..<Machine.cores).suffix(size.slots))
        let run = try PipelineRun(
            definition,
            options: RunOptions(data: directory.path, cores: cores, sharesCores: true),
            logger: Logger(label: "growth-record"))
        let begun = bare_clock()
        try run.runStages()
        let seconds = Double(bare_clock() - begun) / 1e9
        let scored = run.progress()[0]
        guard scored.rowsDone == size.rows else {
            throw Size.Failure(description: "\(scored.rowsDone) of \(size.rows) rows scored")
        }
        try data.deleteTopic(output)
        return (seconds, scored.batches.map(Self.p99) ?? .nan)
    }

    private static func p99(_ durations: DurationCounts) -> Double {
        var left = durations.count * 99 / 100
        for (count, bound) in zip(durations.counts, DurationCounts.bounds) {
            left -= count
            if left < 0 { return Double(bound) }
        }
        return .nan
    }
}

/// Looks each 10 ms how much memory this process has of its own.
private final class MemoryWatch: Sendable {
    private let isStopped = Atomic<Bool>(false)
    private let hasEnded = Atomic<Bool>(false)
    private let most = Atomic<Int>(0)

    init() {
        Thread.detachNewThread { [self] in
            while !isStopped.load(ordering: .relaxed) {
                most.max(Machine.PrivateMemory.anonymous(), ordering: .relaxed)
                usleep(10_000)
            }
            hasEnded.store(true, ordering: .releasing)
        }
    }

    /// MiB at the most.
    func end() -> Double {
        isStopped.store(true, ordering: .relaxed)
        while !hasEnded.load(ordering: .acquiring) { usleep(1000) }
        return Double(most.load(ordering: .relaxed)) / 1_048_576
    }
}
