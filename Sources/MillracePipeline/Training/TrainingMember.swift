internal import MillraceGroups
internal import MillraceKafka
internal import MillraceSystem

/// A slot's part in the group of a trainer, which owns every partition as long as it works.
///
/// **Thread-safety**: one owner.
protocol TrainingMember: AnyObject {
    /// The slot's number, from 0.
    var index: Int { get }

    /// Waits until every partition has its owner; returns which of the rows' partitions are the
    /// slot's own, nil when the run is stopped first.
    func settle(_ stop: StopFlag) throws -> [Int]?

    /// Whether the slots of the process still own what they did.
    func isUndisturbed() throws -> Bool

    /// Commits the offsets to go on from, by the rows' partitions.
    func commit(_ offsets: [UInt64]) throws

    /// Says that the slot is at work.
    func tick()

    /// Makes commits certain: at the end.
    func finish() throws
}

/// A slot's part in a group of the log.
final class LogTrainingMember: TrainingMember {
    private let consumer: GroupConsumer
    private let places: PartitionPlaces
    private var claims: [GroupConsumer.Claim] = []

    init(_ consumer: GroupConsumer, _ rows: any TrainingRows) {
        self.consumer = consumer
        places = PartitionPlaces(rows)
    }

    var index: Int { consumer.index }

    func settle(_ stop: StopFlag) throws -> [Int]? {
        repeat {
            if let changes = try consumer.changes() {
                if !changes.revoked.isEmpty { try consumer.release(changes.revoked) }
            } else {
                PinnedThread.sleep(nanoseconds: 1_000_000)
            }
        } while try !consumer.isSettled() || consumer.mayHaveChanged
        claims = consumer.claims
        return claims.compactMap { places[$0.partition.partition] }
    }

    func isUndisturbed() throws -> Bool {
        guard consumer.mayHaveChanged, let changes = try consumer.changes() else { return true }
        return changes.revoked.isEmpty && changes.lost.isEmpty
    }

    func commit(_ offsets: [UInt64]) throws {
        for claim in claims {
            guard let place = places[claim.partition.partition], offsets.indices.contains(place)
            else { continue }
            try consumer.commit(claim, next: offsets[place])
        }
    }

    func tick() { consumer.tick() }
    func finish() {}
}

/// Where the partitions of a topic are among those that are learnt from.
struct PartitionPlaces {
    private let places: [Int: Int]

    init(_ rows: any TrainingRows) {
        places = Dictionary(
            uniqueKeysWithValues: (0..<rows.partitions).map { (rows.number(of: $0), $0) })
    }

    /// The place of the partition that the topic knows by this number; nil for none.
    subscript(number: Int) -> Int? { places[number] }
}

#if Kafka
    /// A slot's part in a group of Kafka, whose offsets are a copy of the checkpoint's.
    final class KafkaTrainingMember: TrainingMember {
        private let member: KafkaMember
        private let rows: KafkaRows
        private let places: PartitionPlaces
        private var partitions: [KafkaPartition] = []

        /// - Parameter chosen: Those of the rows that are learnt from.
        init(_ member: KafkaMember, _ rows: KafkaRows, _ chosen: any TrainingRows) {
            self.member = member
            self.rows = rows
            places = PartitionPlaces(chosen)
        }

        var index: Int { member.index }

        func settle(_ stop: StopFlag) throws -> [Int]? {
            while !stop.isSet {
                if let changes = try member.changes() {
                    partitions += changes.granted
                    let gone = changes.revoked + changes.lost
                    partitions.removeAll { gone.contains($0) }
                    member.release(changes.revoked)
                } else if member.isSettled {
                    rows.take(partitions)
                    return partitions.compactMap { places[$0.number] }
                } else {
                    PinnedThread.sleep(nanoseconds: 1_000_000)
                }
            }
            return nil
        }

        func isUndisturbed() throws -> Bool {
            guard member.mayHaveChanged else { return true }
            if let changes = try member.changes() {
                guard changes.revoked.isEmpty, changes.lost.isEmpty else { return false }
            }
            // Slots that have done their part of a round wait for the others, and cannot look.
            return member.keepsAll
        }

        func commit(_ offsets: [UInt64]) throws {
            for partition in partitions {
                guard let place = places[partition.number], offsets.indices.contains(place),
                    offsets[place] > 0
                else { continue }
                member.advance(partition, to: Int64(offsets[place]))
            }
            try member.settle()
        }

        func tick() {}
        func finish() throws { try member.finish() }
    }
#endif
