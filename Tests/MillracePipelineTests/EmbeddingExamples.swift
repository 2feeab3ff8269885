import Foundation
import Logging
import Millrace
import Synchronization

// The examples of the page Embedding.md, as they stand there; `EmbeddingPageTests` runs them.

final class Count: Sendable {
    let rows = Atomic<Int>(0)
}

/// Counts the labelled rows that the group has not seen yet.
func countLabelled(_ topic: Topic, of data: DataDirectory, cores: [Int]) throws -> Int {
    let count = Count()
    let group = try ConsumerGroup(data: data, name: "counter", topics: [topic], cores: cores)
    try group.consume(until: .atEnd) { consumer, claim, batch in
        // On the thread of `consumer.core`; other cores are in here at the same time.
        guard batch.hasLabels else { return }
        let labels = batch.labels
        for row in batch.skippedRows..<batch.rows where !labels[row].isNaN {
            count.rows.wrappingAdd(1, ordering: .relaxed)
        }
    }
    return count.rows.load(ordering: .relaxed)
}

/// The sum of each partition's first column.
func sums(_ topic: Topic, of data: DataDirectory, cores: [Int]) async throws -> [Int: Float] {
    var sums: [Int: Float] = [:]
    let group = try ConsumerGroup(data: data, name: "summer", topics: [topic], cores: cores)
    for try await batch in group.batches(until: .atEnd) {
        for row in 0..<batch.rows {
            sums[batch.partition.partition, default: 0] += batch.features[row * batch.columns]
        }
    }
    return sums
}

/// What one slot has for itself.
final class SlotScorer: @unchecked Sendable {
    // Sendable: only the slot's thread uses it.
    private var scorer: Scorer
    private var outputs: [Float] = []
    private(set) var highest: Float = 0

    init(_ feed: ModelFeed) { scorer = Scorer(feed) }

    func score(_ batch: borrowing RecordBatch) {
        let needed = batch.rows * scorer.outputWidth
        if outputs.count < needed { outputs = [Float](repeating: 0, count: needed) }
        var target = outputs.mutableSpan
        scorer.predict(
            FeatureMatrix(batch.matrix, rows: batch.rows, stride: batch.stride), into: &target)
        for index in batch.skippedRows * scorer.outputWidth..<needed {
            highest = max(highest, outputs[index])
        }
    }
}

/// The highest output for any row of a topic of float32, scored on the cores of a group.
func highest(
    _ topic: Topic, of data: DataDirectory, feed: ModelFeed, cores: [Int]
) throws -> Float {
    let group = try ConsumerGroup(data: data, name: "highest", topics: [topic], cores: cores)
    let slots = cores.map { _ in SlotScorer(feed) }
    try group.consumeToEnd { consumer, batch in slots[consumer.index].score(batch) }
    return slots.map(\.highest).max() ?? 0
}

/// A pipeline of one score stage.
func scoring(_ topic: String, into output: String, data: String) throws -> PipelineDefinition {
    let input = try TopicDefinition.existing(topic, data: data)
    let work = ScoreStage(from: Reference(topic), to: Reference(output), model: "delay@stable")
    return PipelineDefinition(
        topics: [
            input,
            TopicDefinition(name: output, partitions: input.partitions, content: .predictions),
        ],
        stages: [StageDefinition(name: "predict", work: .score(work))])
}

/// Runs a pipeline until it ends, or until the task is cancelled.
func runPipeline(
    _ definition: PipelineDefinition, data: String, logger: Logger
) async throws -> RunSummary {
    let options = RunOptions(data: data, follow: true)
    let run = try PipelineRun(definition, options: options, logger: logger)
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {  // `run` blocks: not on a thread of the tasks
                continuation.resume(with: Result { try run.run().summary })
            }
        }
    } onCancel: {
        run.stop()
    }
}

/// Waits for the next batch with the lowest latency, at the price of a core.
func awaitRow(_ topic: Topic, milliseconds: Int64) throws -> UInt64? {
    var reader = try topic.reader(
        partition: 0, from: try topic.endOffset(partition: 0), onOutOfRange: .earliest)
    guard try reader.wait(.spin, nanoseconds: milliseconds * 1_000_000) else { return nil }
    guard let batch = try reader.next() else { return nil }
    return batch.baseOffset
}

/// The exit code of a program that ends with this error.
func exitCode(_ error: any Error) -> Int32 {
    switch error {
    case let error as LogError where error.code == .poisoned: 74
    case let error as GroupError where error.code == .coreInUse: 75
    default: PipelineError(wrapping: error).code.rawValue
    }
}
