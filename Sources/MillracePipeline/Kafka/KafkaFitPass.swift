#if Kafka
    internal import MillraceFeatures
    internal import MillraceKafka
    internal import MillraceSystem

    /// Fits a definition to the first rows of a Kafka topic.
    struct KafkaFitPass {
        private let records: FirstRecords
        private let partitions: Int
        private let stop: StopFlag
        private let follow: Bool

        private static let waitNanoseconds: Int64 = 200_000_000

        init(_ records: FirstRecords, partitions: Int, stop: StopFlag, follow: Bool) {
            self.records = records
            self.partitions = partitions
            self.stop = stop
            self.follow = follow
        }

        /// Freezes the definition: its first `fitRows` rows are the first of each partition in turn,
        /// of those that are there; where there are none, a run that follows waits for them.
        func run(
            _ definition: PreprocessDefinition, schema: RowSchema
        ) throws -> FrozenSpecification? {
            var fitter = try SpecificationFitter(definition: definition, schema: schema)
            let share = (definition.fitRows + partitions - 1) / partitions
            while fitter.needsRows {
                for partition in 0..<partitions where fitter.needsRows {
                    _ = try records.read(
                        partition: partition, most: share, isStopped: { stop.isSet }
                    ) { fitter.observe($0) }
                }
                if stop.isSet { return nil }
                if fitter.rowsObserved > 0 || !follow { break }
                PinnedThread.sleep(nanoseconds: Self.waitNanoseconds)
            }
            return FrozenSpecification(try fitter.freeze())
        }
    }
#endif
