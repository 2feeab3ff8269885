#if Kafka
    internal import MillraceKafka
    internal import MillraceLog
    internal import MillraceModels
    internal import MillraceRepository
    internal import MillraceServing
    internal import MillraceSystem

    /// Predictions as records of a Kafka topic, each with the key and the time of what it is of.
    ///
    /// When they count is for the sink and `onProgress` to say.
    final class KafkaOutput: PredictionOutput {
        private let sink: KafkaSink
        private let topic: String
        private let target: Int
        private let place: KafkaPlace
        private let deadLetters: DeadLetters?
        private let onProgress: (_ next: UInt64) throws -> Void
        private var memory = AlignedBuffer()
        private var record: PredictionRecord?
        private var version: Int
        private let wantsHeaders: Bool

        /// Writes to partition `target` of a topic.
        init(
            _ sink: KafkaSink, to definition: KafkaTopicDefinition, partition target: Int,
            from place: KafkaPlace, deadLetters: DeadLetters?, _ version: ServingVersion,
            onProgress: @escaping (_ next: UInt64) throws -> Void
        ) {
            self.sink = sink
            topic = definition.address.topic
            self.target = target
            self.place = place
            self.deadLetters = deadLetters
            self.onProgress = onProgress
            self.version = version.version
            let format = definition.predictionFormat
            // What says all of it by itself needs no headers.
            wantsHeaders = format == .float32
            record = PredictionRecord(
                format, source: place.topic, partition: place.partition, version)
        }

        func append(
            _ rows: FeatureRows, by version: ServingVersion,
            _ predict: (_ outputs: inout MutableSpan<Float>) -> [NullRow]
        ) throws -> Int {
            guard var record = record.take() else { return 0 }
            if version.version != self.version {
                record.use(version)
                self.version = version.version
            }
            let nulls = try write(rows, version, &record, predict)
            self.record = consume record
            for bad in rows.records?.bad ?? [] { try deadLetters?.add(bad, from: place) }
            try onProgress(rows.end)
            return nulls
        }

        private func write(
            _ rows: FeatureRows, _ version: ServingVersion,
            _ record: inout PredictionRecord,
            _ predict: (_ outputs: inout MutableSpan<Float>) -> [NullRow]
        ) throws -> Int {
            guard rows.rows > 0 else { return 0 }
            let width = version.model.outputWidth
            let model = "\(version.manifest.name)@\(version.version)"
            memory.reserve(rows.rows * width * 4)
            var outputs = memory.floats(at: 0, count: rows.rows * width)
            let nulls = predict(&outputs)
            let now = rows.records == nil ? Clock.wallNanoseconds() / 1_000_000 : 0
            var rest = nulls[...]
            for row in 0..<rows.rows {
                let mark = rest.first?.row == row ? rest.removeFirst().mark : 0
                let offset = rows.records?.offsets[row] ?? rows.begin + UInt64(row)
                record.write(
                    outputs.span.extracting(row * width..<(row + 1) * width),
                    mark: mark, offset: offset)
                let headers = wantsHeaders ? self.headers(model, offset) : []
                guard let records = rows.records else {
                    try add(record.bytes.span, key: nil, now, headers)
                    continue
                }
                try records.withKey(row) { (key) throws(KafkaError) in
                    try add(record.bytes.span, key: key, records.milliseconds[row], headers)
                }
            }
            return nulls.count
        }

        private func add(
            _ value: Span<UInt8>, key: Span<UInt8>?, _ milliseconds: Int64, _ headers: [RowHeader]
        ) throws(KafkaError) {
            try sink.add(
                topic: topic, partition: target, value: value, key: key,
                milliseconds: milliseconds, headers: headers)
        }

        private func headers(_ model: String, _ offset: UInt64) -> [RowHeader] {
            [
                RowHeader("millrace-model", Array(model.utf8)),
                RowHeader(
                    "millrace-source", Array("\(place.topic)/\(place.partition)/\(offset)".utf8)),
            ]
        }

        func close() {}
    }
#endif
