internal import MillraceLog
internal import MillraceSystem

/// One consumer's loop: it follows the changes of what it owns and reads that in turn.
struct ConsumeLoop {
    /// How long a consumer sleeps when none of its partitions has rows, at first and at most.
    private static let shortSleep: Int64 = 50_000
    private static let longSleep: Int64 = 1_000_000

    let group: ConsumerGroup
    let consumer: GroupConsumer
    let start: StartOffset
    let onOutOfRange: OutOfRangePolicy
    let commitsEachBatch: Bool
    private let halt: Halt
    let handler: (GroupConsumer, GroupConsumer.Claim, borrowing RecordBatch) throws -> Void
    private var sources: [Source] = []

    /// A partition that is being read.
    private final class Source {
        let claim: GroupConsumer.Claim
        private var reader: PartitionReader?

        init(_ claim: GroupConsumer.Claim, _ reader: consuming PartitionReader) {
            self.claim = claim
            self.reader = consume reader
        }

        /// Reads one batch; false when there is none at the moment.
        func step(
            _ body: (GroupConsumer.Claim, borrowing RecordBatch) throws -> Void
        ) throws -> Bool {
            guard var reader = reader.take() else { return false }
            let worked = try step(&reader, body)
            self.reader = consume reader
            return worked
        }

        private func step(
            _ reader: inout PartitionReader,
            _ body: (GroupConsumer.Claim, borrowing RecordBatch) throws -> Void
        ) throws -> Bool {
            guard let batch = try reader.next() else { return false }
            try body(claim, batch)
            return true
        }
    }

    init(
        group: ConsumerGroup, consumer: GroupConsumer, start: StartOffset,
        onOutOfRange: OutOfRangePolicy, commitsEachBatch: Bool, halt: Halt,
        handler:
            @escaping (GroupConsumer, GroupConsumer.Claim, borrowing RecordBatch) throws -> Void
    ) {
        self.group = group
        self.consumer = consumer
        self.start = start
        self.onOutOfRange = onOutOfRange
        self.commitsEachBatch = commitsEachBatch
        self.halt = halt
        self.handler = handler
    }

    mutating func run(until ending: ConsumerGroup.Ending, _ vote: EndVote) throws {
        var isReady = false
        var sleep = Self.shortSleep
        while !isEnding {
            let worked = try round()
            if worked {
                if isReady { vote.withdraw() }
                isReady = false
                sleep = Self.shortSleep
                continue
            }
            if ending == .atEnd, try consumer.isSettled(), !consumer.mayHaveChanged {
                if !isReady { vote.enter() }
                isReady = true
                if vote.isUnanimous { return }
            }
            PinnedThread.sleep(nanoseconds: sleep)
            sleep = min(sleep * 2, Self.longSleep)
        }
    }

    private var isEnding: Bool { group.isDraining || halt.isCalled }

    /// Reads one batch of each partition; false when there was none.
    private mutating func round() throws -> Bool {
        if let changes = try consumer.changes() { try follow(changes) }
        var worked = false
        for source in sources where !group.paused.contains(source.claim.partition) {
            if isEnding { return worked }
            do {
                let hasRead = try source.step { [self] claim, batch in
                    try handler(consumer, claim, batch)
                    if commitsEachBatch { try consumer.commit(claim, next: batch.endOffset) }
                }
                if hasRead { worked = true }
            } catch let error as GroupError where error.code == .fenced {
                // The partition is another's; the next round tells what is left.
                return true
            }
            if consumer.mayHaveChanged { return true }
            consumer.tick()
        }
        return worked
    }

    private mutating func follow(_ changes: GroupConsumer.Changes) throws {
        let gone = Set(changes.revoked + changes.lost)
        sources.removeAll { gone.contains($0.claim) }
        if !changes.revoked.isEmpty { try consumer.release(changes.revoked) }
        for claim in changes.granted {
            guard let topic = group.topics[claim.partition.topic] else {
                preconditionFailure("granted \(claim.partition), which the group does not read")
            }
            let number = claim.partition.partition
            let offset =
                try claim.committed ?? start.resolve(in: topic, partition: number)
            let reader = try topic.reader(
                partition: number, from: offset, onOutOfRange: onOutOfRange,
                holding: topic.waitsForReaders)
            sources.append(Source(claim, reader))
        }
    }
}
