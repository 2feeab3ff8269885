#if Kafka
    internal import MillraceKafka
    internal import MillraceLog
    internal import MillraceSystem

    /// A partition of a Kafka topic as a stage reads it: record by record, from a position on.
    ///
    /// **Thread-safety**: one owner.
    final class KafkaReading {
        /// The topic's address.
        let name: String
        private let partition: KafkaPartition
        private let policies: Policies
        private let upstream: Upstream
        private let patienceMilliseconds: Int
        /// The most events of one poll: few of blocks, which are decoded into caches so.
        private let mostEvents: Int
        /// The offset of the next record; nil while the front has not been seen.
        private(set) var position: UInt64?
        /// What ends the reading once everything before it has its outcome.
        private var fault: PipelineError?
        /// The offset at which the partition ended at the last look; nil where there was more.
        private(set) var end: UInt64?
        /// Whether that was still so when those who write the topic had ended.
        private var isEndConfirmed = false
        /// Since when the end is known to lie behind what can be read.
        private var waitsSince: Int64?

        /// Gaps wider than this need not be covered to be passed.
        private static let widestGap: UInt64 = 1 << 31
        private static let nanosecondsPerMillisecond: Int64 = 1_000_000

        /// What happens to records of which nothing is made.
        struct Policies {
            /// To those that are no rows.
            var records: BadRecordAction
            /// To rows that the specification rejects.
            var rows: BadRecordAction
        }

        /// Begins at `offset`, or at the front of the partition.
        ///
        /// - Parameter upstream: Who writes the topic, as far as this run knows.
        init(
            _ partition: KafkaPartition, of topic: KafkaTopicDefinition, from offset: Int64?,
            _ policies: Policies, _ upstream: Upstream
        ) throws(KafkaError) {
            name = topic.address.description
            self.partition = partition
            self.policies = policies
            self.upstream = upstream
            patienceMilliseconds = topic.patienceMilliseconds
            mostEvents = topic.rowFormat == .block ? 1 : KafkaPartition.mostEvents
            position = offset.map { UInt64($0) }
            try partition.begin(at: offset)
        }

        var number: Int { partition.number }
        var lag: Int { position.map { partition.lag(from: Int64($0)) } ?? 0 }

        /// Whether nothing was left to read at the last look, nor anything that those who write the
        /// topic had still to make visible then.
        var isAtEnd: Bool { end != nil && (upstream.isEmpty || isEndConfirmed) }

        /// Gives the records that are there to `take`, until there are enough.
        ///
        /// - Parameters:
        ///   - begin: Told of the source offset with which what follows begins, before anything else.
        ///   - take: Says why nothing is made of a record; nil where something is.
        ///   - refuse: Given the records of which nothing is made.
        /// - Returns: The source offsets that were covered; nil for none.
        /// - Throws: What `take` and `refuse` do, and an error that names a record at which to stop,
        ///   once everything before it has been covered.
        func read(
            begin: (UInt64) -> Void, until isEnough: () -> Bool,
            take: (borrowing KafkaRecord) throws -> Refusal?,
            refuse: (RefusedRecord) throws -> Void
        ) throws -> Range<UInt64>? {
            if let fault { throw fault }
            var first: UInt64?
            var cut: UInt64?
            var failure: (any Error)?
            var count = 0
            repeat {
                count = try partition.poll(most: mostEvents) { (event, record) throws(KafkaError) in
                    let offset = UInt64(record.offset)
                    guard event == .record else {
                        end = offset
                        return
                    }
                    end = nil
                    guard fault == nil, failure == nil, cut == nil, offset >= position ?? 0
                    else { return }
                    if let first, offset - first > Self.widestGap {
                        cut = offset
                        return
                    }
                    if first == nil {
                        let start = start(before: offset)
                        first = start
                        begin(start)
                    }
                    do {
                        if let refusal = try take(record) {
                            guard try refused(record, refusal, refuse) else { return }
                        }
                        position = offset + 1
                    } catch { failure = error }
                }
            } while count == mostEvents && !isEnough() && fault == nil
                && failure == nil && cut == nil
            if let failure { throw failure }
            // What lies behind a gap as wide as that is for another batch.
            if let cut { try partition.begin(at: Int64(cut)) }
            if let first, let position, position > first { return first..<position }
            if let fault { throw fault }
            try confirmEnd()
            return nil
        }

        /// Where a batch begins: where the last one ended, or with its first record.
        private func start(before offset: UInt64) -> UInt64 {
            guard let position, offset - position <= Self.widestGap else { return offset }
            return position
        }

        /// Deals with a record of which nothing is made; false where the reading ends before it.
        private func refused(
            _ record: borrowing KafkaRecord, _ refusal: Refusal,
            _ refuse: (RefusedRecord) throws -> Void
        ) throws -> Bool {
            let policy = refusal.isRejectedRow ? policies.rows : policies.records
            guard policy != .stop else {
                fault = PipelineError(
                    .badData,
                    "\(name), partition \(number), offset \(record.offset): \(refusal.message)",
                    advice: "Everything before it is done; --on-bad-record skip leaves such "
                        + "records out, dead-letter puts them aside.")
                return false
            }
            var refused = RefusedRecord(offset: UInt64(record.offset), refusal: refusal)
            if policy == .deadLetter {
                if let value = record.value { refused.value = Self.copy(value) }
                if let key = record.key { refused.key = Self.copy(key) }
                refused.milliseconds = record.milliseconds ?? 0
                // Headers that are no text are not kept, of a record that is not what it should be.
                do throws(RecordFault) { refused.headers = try record.headers() } catch {}
            }
            try refuse(refused)
            return true
        }

        private static func copy(_ bytes: Span<UInt8>) -> [UInt8] {
            bytes.indices.map { bytes[$0] }
        }

        /// Asks where the partition ends once those who write it have: what is fetched lags behind.
        private func confirmEnd() throws {
            guard let end, !upstream.isEmpty, !isEndConfirmed, upstream.hasEnded else { return }
            let last = UInt64(max(0, try partition.askedEnd()))
            guard end < last else {
                isEndConfirmed = true
                return
            }
            let now = Clock.monotonicNanoseconds()
            let since = waitsSince ?? now
            waitsSince = since
            guard
                now - since < Int64(patienceMilliseconds) * Self.nanosecondsPerMillisecond
            else {
                throw PipelineError(
                    .tryLater,
                    "\(name), partition \(number): it ends at offset \(last), and nothing behind "
                        + "\(end) can be read",
                    advice: "Somebody's transaction is open; run the same command again later.")
            }
        }
    }
#endif
