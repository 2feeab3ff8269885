#if Kafka
    internal import MillraceCompute
    internal import MillraceKafka

    /// A partition of a Kafka topic as a score stage reads it: records are decoded into an arena.
    final class KafkaInput: FeatureInput {
        private let reading: KafkaReading
        private var decoder: RecordDecoder?
        private var arena: FeatureArena?
        private let records = SourceRecords()

        /// A batch ends behind the poll that brings it to so many rows.
        private static let enoughRows = 4096

        init(_ reading: KafkaReading, _ decoder: consuming RecordDecoder, columns: Int) {
            self.reading = reading
            self.decoder = consume decoder
            arena = FeatureArena(columns: columns)
        }

        var name: String { reading.name }
        var isAtEnd: Bool { reading.isAtEnd }
        var lag: Int { reading.lag }

        func next(_ body: (FeatureRows) throws -> Void) throws -> Bool {
            guard var arena = arena.take(), var decoder = decoder.take() else { return false }
            arena.reset()
            records.reset()
            let range = try fetch(into: &arena, &decoder)
            let columns = arena.columns
            if let range {
                try body(
                    FeatureRows(
                        FeatureMatrix(
                            arena.bytes, rows: arena.rows, stride: columns * 4, element: .float32),
                        columns: columns, range, records: records))
            }
            self.arena = consume arena
            self.decoder = consume decoder
            return range != nil
        }

        /// Decodes what is there, until that is enough.
        private func fetch(
            into arena: inout FeatureArena, _ decoder: inout RecordDecoder
        ) throws -> Range<UInt64>? {
            var rows = 0
            return try reading.read(
                begin: { _ in }, until: { rows >= Self.enoughRows },
                take: { (record) -> Refusal? in
                    do throws(RecordFault) {
                        let count = try decoder.add(record.value, to: &arena)
                        records.add(
                            rows: count, offset: UInt64(record.offset), key: record.key,
                            milliseconds: record.milliseconds ?? 0)
                        rows += count
                        return nil
                    } catch { return Refusal(error) }
                }, refuse: { records.add($0) })
        }

        func specification(_ id: UInt32) throws -> FrozenSpecification? { nil }
        func close() {}
    }
#endif
