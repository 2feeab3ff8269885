#if Kafka
    internal import MillraceKafka
    internal import MillraceSystem

    /// An exchange through partition 0 of a topic of Kafka, for trainers of any hosts.
    final class KafkaExchange: ExchangeTransport {
        let name: String
        let identity: UInt64
        private let journal: KafkaJournal

        private static let pollMilliseconds: Int32 = 5

        init(_ name: String, _ journal: KafkaJournal) {
            self.name = name
            self.journal = journal
            identity = UInt64(CRC32C.checksum(of: Array(journal.source.utf8).span))
        }

        var position: UInt64 { UInt64(max(0, journal.position)) }

        func start() throws -> UInt64 { UInt64(max(0, try journal.offsets().lowerBound)) }
        func end() throws -> UInt64 { UInt64(max(0, try journal.offsets().upperBound)) }
        func seek(to offset: UInt64) throws { try journal.seek(to: Int64(offset)) }

        func next() throws -> (offset: UInt64, bytes: [UInt8])? {
            do throws(KafkaError) {
                return try journal.next().map { (UInt64(max(0, $0.offset)), $0.bytes) }
            } catch {
                guard error.code == .offsetOutOfRange else { throw error }
                throw PipelineError(
                    .tryLater,
                    "exchange topic '\(name)' has lost records before they were read: "
                        + error.summary,
                    advice: "Run the same command again: it goes on with the newest average.")
            }
        }

        func append(_ records: [[UInt8]]) throws { try journal.append(records) }

        /// What brokers have acknowledged, and only that is read, is as durable as it will be.
        func flush() {}

        func rest() throws { try journal.wait(milliseconds: Self.pollMilliseconds) }
        func close() {}
    }
#endif
