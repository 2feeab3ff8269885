internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceLog

/// Encodes the rows of one source partition into the same partition of each output topic.
///
/// The rejected rows' drops, and those of rows that no route takes, are recorded in the first
/// output, so that every source row has one outcome in exactly one topic.
final class PreprocessTask: PartitionTask {
    /// Reason of a dropped row that no route takes.
    static let unroutedReason: UInt32 = 128

    private let source: Topic
    private let claim: GroupConsumer.Claim
    private let consumer: GroupConsumer
    private var partition: TopicPartition { claim.partition }
    private let specification: FeatureSpecification
    private let policy: BadRowPolicy
    private let status: StageStatus
    private let rejections: RejectionLog
    private let lanes: [PreprocessLane]
    /// Rows of an output batch.
    private let blockRows: Int
    private var reader: PartitionReader?
    private var encoder: RowEncoder
    private var scratch: [Float]
    /// Source rows that have their outcome.
    private(set) var rowsDone: Int

    init(
        claim: GroupConsumer.Claim, consumer: GroupConsumer, group: String, source: Topic,
        outputs: [Topic], specification: FrozenSpecification, policy: BadRowPolicy,
        status: StageStatus, rejections: RejectionLog
    ) throws {
        self.source = source
        self.claim = claim
        self.consumer = consumer
        self.specification = specification.value
        self.policy = policy
        self.status = status
        self.rejections = rejections
        lanes = try outputs.map {
            try PreprocessLane(
                topic: $0, claim: claim, source: source, group: group,
                specification: specification)
        }
        let width = specification.value.width
        blockRows = FeatureBlock.rows(width: width)
        encoder = RowEncoder(specification.value)
        scratch = [Float](repeating: 0, count: width)
        // The outputs are the truth; what the group committed is a copy of it.
        let start = lanes.map(\.tail).min() ?? 0
        let number = claim.partition.partition
        rowsDone = Int(start - min(start, try source.startOffset(partition: number)))
        // Rows that retention has removed since then have no outcome: an error says how many.
        reader = try source.reader(
            partition: number, from: start, holding: source.waitsForReaders)
    }

    func step() throws -> Bool {
        guard var reader = reader.take() else { return false }
        let worked = try step(&reader)
        self.reader = consume reader
        return worked
    }

    private func step(_ reader: inout PartitionReader) throws -> Bool {
        guard let batch = try reader.next() else { return false }
        var first = batch.skippedRows
        while first < batch.rows {
            let end = min(first + blockRows, batch.rows)
            try encode(batch, first..<end)
            first = end
        }
        return true
    }

    private func encode(_ batch: borrowing RecordBatch, _ rows: Range<Int>) throws {
        let begin = batch.baseOffset + UInt64(rows.lowerBound)
        let end = batch.baseOffset + UInt64(rows.upperBound)
        for lane in lanes { lane.begin(at: begin) }
        for index in rows {
            let offset = batch.baseOffset + UInt64(index)
            let line = batch.value(index)
            var row = scratch.mutableSpan
            switch encoder.encode(line, offset: offset, into: &row) {
            case .encoded(let label, let route):
                if lanes.indices.contains(route) {
                    lanes[route].add(scratch.span, label: label, offset: offset)
                } else {
                    lanes[0].drop(offset: offset, reason: Self.unroutedReason)
                }
            case .rejected(let reason, let column):
                let text = specification.explain(reason, column: column, line: line)
                try reject(batch, index, text)
                lanes[0].drop(offset: offset, reason: reason.rawValue)
            }
        }
        for lane in lanes { _ = try lane.finish(at: end, epoch: batch.epoch) }
        rowsDone += rows.count
        status.add(rows: rows.count)
        try consumer.commit(claim, next: end)
    }

    /// Reports a rejected row by the file and line that it came from, or by its offset.
    private func reject(_ batch: borrowing RecordBatch, _ index: Int, _ text: String) throws {
        status.add(rejected: 1)
        let place = try RowPlace(
            index, of: batch, in: source, partition: partition.partition)
        try rejections.reject(file: place.file, line: place.line, text, policy: policy)
    }

    func close() throws {
        for lane in lanes { try lane.close() }
        reader = nil
    }
}
