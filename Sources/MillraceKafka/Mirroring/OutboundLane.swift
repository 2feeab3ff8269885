#if Kafka
    internal import MillraceLog

    /// One partition of the log on its way to a partition of Kafka.
    ///
    /// **Thread-safety**: one owner.
    final class OutboundLane {
        /// The partition in the log.
        let partition: Int
        /// The partition in Kafka.
        let target: Int
        /// The offset behind the rows whose transaction has been committed.
        private(set) var committed: UInt64
        /// The offset behind the rows that are in the transaction.
        private(set) var next: UInt64
        private(set) var rows = 0
        private(set) var records = 0
        private(set) var bytes = 0
        private let topic: Topic
        private let onOutOfRange: OutOfRangePolicy
        private var reader: PartitionReader?
        private var writer: RecordWriter
        private var waiting = (rows: 0, records: 0, bytes: 0)

        init(
            _ topic: Topic, partition: Int, target: Int, from start: UInt64, format: KafkaFormat,
            onOutOfRange: OutOfRangePolicy, maxRecordBytes: Int
        ) throws(LogError) {
            self.topic = topic
            self.partition = partition
            self.target = target
            committed = start
            next = start
            writer = RecordWriter(
                format, of: topic.configuration, maxRecordBytes: maxRecordBytes)
            self.onOutOfRange = onOutOfRange
            reader = try topic.reader(
                partition: partition, from: start, onOutOfRange: onOutOfRange)
        }

        /// Whether the transaction has rows of this partition, or their absence.
        var hasMoved: Bool { next != committed }

        /// Whether there is nothing to read now.
        var isAtEnd: Bool {
            get throws(KafkaError) {
                do throws(LogError) { return try reader?.isAtEnd ?? true } catch {
                    throw KafkaError(error)
                }
            }
        }

        /// Gives the records of the next batch to `take`; false when there is none.
        func step(_ take: RecordTaker) throws(KafkaError) -> Bool {
            // After an error there is none, until `goBack` makes another.
            guard var reader = reader.take() else { return false }
            let worked = try Self.step(&reader, &writer, &next, &waiting, take)
            self.reader = consume reader
            return worked
        }

        private static func step(
            _ reader: inout PartitionReader, _ writer: inout RecordWriter, _ next: inout UInt64,
            _ waiting: inout (rows: Int, records: Int, bytes: Int), _ take: RecordTaker
        ) throws(KafkaError) -> Bool {
            do {
                guard let batch = try reader.next() else { return false }
                try writer.write(batch, from: batch.skippedRows) {
                    (value, key, milliseconds, headers) throws(KafkaError) in
                    waiting.records += 1
                    waiting.bytes += value.count
                    try take(value, key, milliseconds, headers)
                }
                waiting.rows += batch.rows - batch.skippedRows
                next = max(next, batch.endOffset)
                return true
            } catch let error as LogError { throw KafkaError(error) } catch let error as KafkaError
            { throw error } catch { throw KafkaError(.client, "\(error)") }
        }

        /// Gives what is left over, the last block, to `take`.
        func finish(_ take: RecordTaker) throws(KafkaError) {
            try writer.finish { (value, key, milliseconds, headers) throws(KafkaError) in
                waiting.records += 1
                waiting.bytes += value.count
                try take(value, key, milliseconds, headers)
            }
        }

        /// Takes note that the transaction was committed.
        func commit() {
            committed = next
            rows += waiting.rows
            records += waiting.records
            bytes += waiting.bytes
            waiting = (0, 0, 0)
        }

        /// Goes back to what was committed.
        func goBack() throws(KafkaError) {
            writer.reset()
            waiting = (0, 0, 0)
            next = committed
            do throws(LogError) {
                reader = try topic.reader(
                    partition: partition, from: committed, onOutOfRange: onOutOfRange)
            } catch { throw KafkaError(error) }
        }

        /// Waits for rows.
        func wait(nanoseconds: Int64) throws(KafkaError) {
            guard var reader = reader.take() else { return }
            do throws(LogError) { _ = try reader.wait(.sleep, nanoseconds: nanoseconds) } catch {
                throw KafkaError(error)
            }
            self.reader = consume reader
        }
    }
#endif
