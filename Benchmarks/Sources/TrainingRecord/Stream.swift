internal import BenchmarkSupport
internal import CInferencePeers
internal import Logging
internal import Millrace

/// Training from an LZ4 topic, as `millrace train` does it: with checkpoints, metrics and versions.
final class Stream {
    private static let batch = 1024
    private static let topicName = "digits"

    let rows: Rows
    private let work: WorkDirectory
    private let data: DataDirectory
    private let topic: Topic
    private var runs = 0

    /// Writes `labels` of `rows` to a topic.
    init(_ rows: Rows, labels: [Float], partitions: Int) throws {
        self.rows = rows
        work = try WorkDirectory()
        data = try DataDirectory(work.path, create: true)
        topic = try data.topic(
            Self.topicName,
            creating: TopicConfiguration(
                partitions: partitions, kind: .features, features: Rows.columns, label: true,
                codec: .lz4))
        for partition in 0..<partitions { try write(labels, partition: partition) }
    }

    /// Writes every batch whose turn it is.
    private func write(_ labels: [Float], partition: Int) throws {
        var writer = try topic.writer(partition: partition)
        var builder = BatchBuilder(columns: Rows.columns)
        let features = rows.features
        let (start, step) = (partition * Self.batch, topic.partitions * Self.batch)
        for first in stride(from: start, to: rows.count, by: step) {
            for row in first..<min(first + Self.batch, rows.count) {
                do {
                    var target = builder.nextRow()
                    for i in 0..<Rows.columns {
                        target[i] = features.span[row * Rows.columns + i]
                    }
                }
                builder.commitRow(label: labels[row])
            }
            try writer.append(&builder)
        }
        try writer.close()
    }

    /// Nanoseconds a row of decoding alone.
    func decode() throws -> Double {
        let begin = ip_now()
        var sum: Float = 0
        for partition in 0..<topic.partitions {
            var reader = try topic.reader(partition: partition)
            while let batch = try reader.next() { sum += batch.matrix[0] }
        }
        guard sum.isFinite else { throw Peer.Failure("a digit is no number") }
        return Double(ip_now() - begin) / Double(rows.count)
    }

    /// Nanoseconds a row of a run of one train stage that goes over the rows `passes` times.
    func train(
        _ change: (inout TrainStage) -> Void, cores: [Int], passes: Int = 1
    ) throws -> Double {
        runs += 1
        var stage = TrainStage(
            from: Reference(Self.topicName), model: "digits-\(runs)",
            learner: LearnerDefinition(objective: .logistic))
        change(&stage)
        stage.epochs = passes
        let definition = PipelineDefinition(
            topics: [try .existing(Self.topicName, data: work.path)],
            stages: [StageDefinition(name: "train-\(runs)", work: .train(stage))])
        let run = try PipelineRun(
            definition, options: RunOptions(data: work.path, cores: cores, sharesCores: true),
            logger: Logger(label: "training-record"))
        return try run.run().summary.seconds * 1e9 / Double(passes * rows.count)
    }
}

extension Work {
    /// The stage that trains what `options` with a scaler say.
    func define(_ stage: inout TrainStage) {
        let options = options(scaler: true)
        stage.learner = LearnerDefinition(hidden: options.hidden, objective: options.objective)
        stage.optimizer = options.optimizer
        stage.mode = options.mode
        stage.batchRows = options.batchRows
    }
}
