import Foundation
import Millrace

// The example of a stage of one's own on the page Embedding.md, as it stands there.

/// One source partition of the stage "double", which writes each row with its features doubled.
final class DoublingLane {
    private let claim: GroupConsumer.Claim
    private var origin = BatchOrigin()
    private var builder: BatchBuilder
    private var reader: PartitionReader?
    private var writer: PartitionWriter?

    init(_ claim: GroupConsumer.Claim, from source: Topic, to output: Topic) throws {
        let partition = claim.partition.partition
        let writer = try output.writer(
            partition: partition,
            claim: OutputClaim(
                group: "group:double", source: source.reference, sourcePartition: partition,
                generation: claim.generation, start: source.startOffset(partition: partition),
                isContested: claim.isContested))
        let tail = writer.claimedEnd ?? 0  // the output says where to go on
        self.claim = claim
        self.writer = consume writer
        builder = BatchBuilder(columns: output.configuration.features)
        origin.group = try output.dictionaryID(of: "group:double")
        origin.source = try output.dictionaryID(of: source.reference)
        origin.sourcePartition = UInt32(partition)
        origin.generation = claim.generation
        reader = try source.reader(partition: partition, from: tail)
    }

    /// Works on one batch; false when there is none.
    func step(_ consumer: GroupConsumer) throws -> Bool {
        guard var reader = reader.take() else { return false }
        let worked = try step(&reader, consumer)
        self.reader = consume reader
        return worked
    }

    private func step(_ reader: inout PartitionReader, _ consumer: GroupConsumer) throws -> Bool {
        guard let batch = try reader.next() else { return false }
        let features = batch.matrix
        builder.reset()
        for row in batch.skippedRows..<batch.rows {
            do {
                var target = builder.nextRow()
                for column in 0..<batch.columns {
                    target[column] = 2 * features[row * batch.stride + column]
                }
            }
            builder.commitRow()
        }
        origin.begin = batch.baseOffset + UInt64(batch.skippedRows)
        origin.end = batch.endOffset
        origin.sourceEpoch = batch.epoch
        builder.origin = origin
        try writer?.append(&builder)  // rows and progress: one append
        try consumer.commit(claim, next: batch.endOffset)
        return true
    }
}

/// The stage "double", until `group.drain()`.
func runDoubling(_ group: ConsumerGroup, from source: Topic, to output: Topic) throws {
    try group.run { consumer in
        var lanes: [GroupConsumer.Claim: DoublingLane] = [:]
        while !group.isDraining {
            if let changes = try consumer.changes() {
                for claim in changes.revoked + changes.lost { lanes[claim] = nil }
                if !changes.revoked.isEmpty { try consumer.release(changes.revoked) }
                for claim in changes.granted {
                    lanes[claim] = try DoublingLane(claim, from: source, to: output)
                }
            }
            var hasWorked = false
            for lane in lanes.values where try lane.step(consumer) { hasWorked = true }
            if !hasWorked { Thread.sleep(forTimeInterval: 0.0002) }
        }
    }
}
