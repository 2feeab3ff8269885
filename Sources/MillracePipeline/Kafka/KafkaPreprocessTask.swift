#if Kafka
    internal import MillraceFeatures
    internal import MillraceKafka

    /// Encodes the rows of one partition of a Kafka topic, straight from the client's memory.
    final class KafkaPreprocessTask: PartitionTask {
        private let reading: KafkaReading
        private let sorter: RowSorter
        private let deadLetters: DeadLetters?
        private let place: KafkaPlace
        private let status: StageStatus
        private let rejections: RejectionLog
        /// Told of the source offset to go on from, once everything before it is written.
        private let onProgress: (_ next: UInt64) throws -> Void
        /// Records that this task has given their outcome.
        private(set) var rowsDone = 0

        private static let nanosecondsPerMillisecond: Int64 = 1_000_000

        init(
            _ reading: KafkaReading, of place: KafkaPlace, _ sorter: RowSorter,
            deadLetters: DeadLetters?, status: StageStatus, rejections: RejectionLog,
            onProgress: @escaping (_ next: UInt64) throws -> Void
        ) {
            self.reading = reading
            self.place = place
            self.sorter = sorter
            self.deadLetters = deadLetters
            self.status = status
            self.rejections = rejections
            self.onProgress = onProgress
        }

        var isAtEnd: Bool { reading.isAtEnd }
        var lag: Int { reading.lag }

        func step() throws -> Bool {
            var rows = 0
            var refused = 0
            let range = try reading.read(
                begin: { sorter.begin(at: $0) }, until: { rows >= sorter.blockRows },
                take: { (record) throws -> Refusal? in
                    rows += 1
                    return try take(record)
                },
                refuse: {
                    refused += 1
                    try refuse($0)
                })
            guard let range else { return false }
            try sorter.finish(at: range.upperBound)
            rowsDone += rows
            status.add(rows: rows)
            status.add(rejected: refused)
            try onProgress(range.upperBound)
            return true
        }

        private func take(_ record: borrowing KafkaRecord) throws -> Refusal? {
            guard let line = record.value else {
                return Refusal(RecordFault(.noValue, "a record without a value"))
            }
            let (time, isTooLarge) = (record.milliseconds ?? 0).multipliedReportingOverflow(
                by: Self.nanosecondsPerMillisecond)
            let origin = RowOrigin(
                offset: UInt64(record.offset), key: record.key,
                timestamp: isTooLarge ? .max : time)
            guard let rejection = try sorter.sort(line, origin) else { return nil }
            return Refusal(rejection.reason, sorter.explain(rejection, line))
        }

        private func refuse(_ record: RefusedRecord) throws {
            sorter.drop(offset: record.offset, reason: record.refusal.reason)
            if let deadLetters { return try deadLetters.add(record, from: place) }
            try rejections.reject(
                file: "\(reading.name), partition \(place.partition)", line: Int(record.offset),
                record.refusal.message, policy: .skip)
        }

        func close() throws { try sorter.close() }
    }
#endif
