#if Kafka
    internal import MillraceKafka
    internal import MillraceSystem

    /// The rows of a topic of Kafka that has labels.
    ///
    /// Positions are offsets; where a record is a block of rows they end in the row's place in it,
    /// so that the one behind a block's last row is that of the next record's first.
    final class KafkaRows: TrainingRows {
        let name: String
        let identity: UInt64
        let partitions: Int
        let features: Int
        let topic: KafkaTopicDefinition
        let upstream: Upstream
        /// The identifier of the specification that is to have made the rows; 0 for any.
        let specification: UInt32
        /// How many bits of a position are the place in a block.
        let placeBits: Int
        private let owned = Lock<[Int: KafkaPartition]>([:])

        private static let blockPlaceBits = 20

        init(
            _ topic: KafkaTopicDefinition, of group: KafkaGroup, features: Int,
            specification: UInt32, _ upstream: Upstream
        ) {
            name = topic.address.description
            self.topic = topic
            self.features = features
            self.specification = specification
            self.upstream = upstream
            partitions = group.partitions
            identity = UInt64(CRC32C.checksum(of: Array(group.source.utf8).span))
            placeBits = topic.rowFormat == .block ? Self.blockPlaceBits : 0
        }

        /// Lets partitions that a slot owns be read.
        func take(_ partitions: [KafkaPartition]) {
            owned.withLock { owned in
                for partition in partitions { owned[partition.number] = partition }
            }
        }

        /// A partition that a slot of this process owns.
        func partition(_ number: Int) throws -> KafkaPartition {
            guard let partition = owned.withLock({ $0[number] }) else {
                preconditionFailure("a slot reads what it owns")
            }
            return partition
        }

        func reader(of partition: Int, from position: UInt64) throws -> any RowReader {
            KafkaRowReader(self, partition, from: position)
        }
    }

    /// One partition of a Kafka topic as a trainer reads it, from when a slot owns it on.
    final class KafkaRowReader: RowReader {
        let start: UInt64
        private let source: KafkaRows
        private let number: Int
        private var reading: KafkaReading?
        private var vectors: VectorReader?
        private var arena: FeatureArena?
        /// The end that was asked for last.
        private var wantedEnd: UInt64 = 0

        /// A batch ends behind the poll that brings it to so many rows.
        private static let enoughRows = 4096

        init(_ source: KafkaRows, _ number: Int, from position: UInt64) {
            self.source = source
            self.number = number
            start = position
            vectors = VectorReader(
                source.topic.rowFormat, columns: source.features, labels: .kept,
                specification: source.specification)
            arena = FeatureArena(columns: source.features)
        }

        /// Whether the partition ends, and not before what was to be read.
        var isAtEnd: Bool {
            guard let reading, reading.isAtEnd, let end = reading.end else { return false }
            return end << UInt64(source.placeBits) >= wantedEnd
        }

        func publishedEnd() throws -> UInt64 {
            UInt64(max(0, try source.partition(number).askedEnd())) << UInt64(source.placeBits)
        }

        func read(before end: UInt64?, into rows: inout RowStore) throws -> ReadRows {
            wantedEnd = end ?? 0
            let reading = try opened()
            guard var arena = arena.take(), var vectors = vectors.take() else { return .none }
            arena.reset()
            let found = try fetch(reading, into: &arena, &vectors, before: end, &rows)
            self.arena = consume arena
            self.vectors = consume vectors
            return found ? .stored : .none
        }

        func withLent(_ positions: Range<UInt64>, _ body: (borrowing RowView) -> Void) {
            preconditionFailure("it lends no rows")
        }

        private func fetch(
            _ reading: KafkaReading, into arena: inout FeatureArena,
            _ vectors: inout VectorReader, before end: UInt64?, _ rows: inout RowStore
        ) throws -> Bool {
            let bits = UInt64(source.placeBits)
            var positions: [UInt64] = []
            var refused: [(position: UInt64, reason: String)] = []
            let range = try reading.read(
                begin: { _ in }, until: { positions.count >= Self.enoughRows },
                take: { (record) -> Refusal? in
                    do throws(RecordFault) {
                        guard let value = record.value else {
                            throw RecordFault(.noValue, "a record without a value")
                        }
                        let count = try vectors.add(value, to: &arena)
                        // The last row's place has all its bits set.
                        let next = UInt64(record.offset + 1) << bits
                        for row in 0..<count { positions.append(next - UInt64(count - row)) }
                        return nil
                    } catch { return Refusal(error) }
                }, refuse: { refused.append(($0.offset << bits, $0.refusal.message)) })
            add(arena, positions, before: end, to: &rows)
            for one in refused where one.position < end ?? .max {
                rows.refuse(one.position, one.reason)
            }
            return range != nil
        }

        /// Adds those of the rows that are wanted.
        private func add(
            _ arena: borrowing FeatureArena, _ positions: [UInt64], before end: UInt64?,
            to rows: inout RowStore
        ) {
            let first = positions.firstIndex { $0 >= start } ?? positions.count
            let last = end.flatMap { end in positions.firstIndex { $0 >= end } } ?? positions.count
            guard first < last else { return }
            rows.append(arena, first..<last, at: positions[first..<last])
        }

        private func opened() throws -> KafkaReading {
            if let reading { return reading }
            let policy = source.topic.onBadRecord
            let opened = try KafkaReading(
                source.partition(number), of: source.topic,
                from: start == 0 ? nil : Int64(source.offset(of: start)),
                KafkaReading.Policies(records: policy, rows: policy), source.upstream)
            reading = opened
            return opened
        }
    }
#endif
