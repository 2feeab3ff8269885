#if Kafka
    internal import MillraceCompute
    internal import MillraceKafka
    internal import MillraceLog

    /// A partition of a Kafka topic as a score stage reads it: records are decoded into an arena.
    final class KafkaInput: FeatureInput {
        let name: String
        private(set) var isAtEnd = false
        private let partition: KafkaPartition
        private let policy: BadRecordAction
        private var decoder: RecordDecoder?
        private var arena: FeatureArena?
        private let records = SourceRecords()
        /// The offset of the next record; nil while the front has not been seen.
        private var position: UInt64?
        /// What ends the reading once everything before it has its outcome.
        private var fault: PipelineError?

        /// A batch ends behind the poll that brings it to so many rows.
        private static let enoughRows = 4096
        /// Gaps wider than this need not be covered to be passed.
        private static let widestGap: UInt64 = 1 << 31

        /// Begins at `offset`, or at the front of the partition.
        init(
            _ partition: KafkaPartition, of topic: KafkaAddress, from offset: Int64?,
            _ decoder: consuming RecordDecoder, columns: Int, onBadRecord policy: BadRecordAction
        ) throws(KafkaError) {
            name = topic.description
            self.partition = partition
            self.policy = policy
            self.decoder = consume decoder
            arena = FeatureArena(columns: columns)
            position = offset.map { UInt64($0) }
            try partition.begin(at: offset)
        }

        var lag: Int { position.map { partition.lag(from: Int64($0)) } ?? 0 }

        func next(_ body: (FeatureRows) throws -> Void) throws -> Bool {
            if let fault { throw fault }
            guard var arena = arena.take(), var decoder = decoder.take() else { return false }
            arena.reset()
            records.reset()
            let begin = position
            try fetch(into: &arena, &decoder)
            let columns = arena.columns
            let worked = !records.isEmpty
            if worked, let end = position {
                try body(
                    FeatureRows(
                        FeatureMatrix(
                            arena.bytes, rows: arena.rows, stride: columns * 4, element: .float32),
                        columns: columns, range(from: begin, to: end), records: records))
            }
            self.arena = consume arena
            self.decoder = consume decoder
            if !worked, let fault { throw fault }
            return worked
        }

        /// What a batch covers: from where the last one ended, or from its first record.
        private func range(from begin: UInt64?, to end: UInt64) -> Range<UInt64> {
            let first = min(
                records.offsets.first ?? .max, records.bad.first?.offset ?? .max)
            let start = begin.map { first - min(first, $0) > Self.widestGap ? first : $0 }
            return (start ?? first)..<end
        }

        /// Decodes what is there, until that is enough.
        private func fetch(
            into arena: inout FeatureArena, _ decoder: inout RecordDecoder
        ) throws(KafkaError) {
            var count = 0
            repeat {
                count = try partition.poll { (event, record) throws(KafkaError) in
                    isAtEnd = event == .endOfPartition
                    if event == .record, fault == nil { try take(record, into: &arena, &decoder) }
                }
            } while count == KafkaPartition.mostEvents && arena.rows < Self.enoughRows
                && fault == nil
        }

        private func take(
            _ record: borrowing KafkaRecord, into arena: inout FeatureArena,
            _ decoder: inout RecordDecoder
        ) throws(KafkaError) {
            let offset = UInt64(record.offset)
            guard offset >= position ?? 0 else { return }
            let rows: Int
            do throws(RecordFault) { rows = try decoder.add(record.value, to: &arena) } catch {
                return try refuse(record, error)
            }
            records.add(
                rows: rows, offset: offset, key: record.key, milliseconds: record.milliseconds ?? 0)
            position = offset + 1
        }

        private func refuse(
            _ record: borrowing KafkaRecord, _ found: RecordFault
        ) throws(KafkaError) {
            guard policy != .stop else {
                fault = PipelineError(
                    .badData,
                    "\(name), partition \(partition.number), offset \(record.offset): "
                        + found.message,
                    advice: "Everything before it is done; --on-bad-record skip leaves such "
                        + "records out, dead-letter puts them aside.")
                return
            }
            var bad = SourceRecords.Bad(offset: UInt64(record.offset), fault: found)
            if policy == .deadLetter {
                if let value = record.value { bad.value = Self.copy(value) }
                if let key = record.key { bad.key = Self.copy(key) }
                bad.milliseconds = record.milliseconds ?? 0
                // Headers that are no text are not kept, of a record that is not what it should be.
                do throws(RecordFault) { bad.headers = try record.headers() } catch {}
            }
            records.add(bad)
            position = bad.offset + 1
        }

        private static func copy(_ bytes: Span<UInt8>) -> [UInt8] {
            bytes.indices.map { bytes[$0] }
        }

        func specification(_ id: UInt32) -> FrozenSpecification? { nil }
        func close() {}
    }
#endif
