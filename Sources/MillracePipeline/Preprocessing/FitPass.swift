internal import MillraceFeatures
internal import MillraceLog
internal import MillraceSystem

/// Fits a definition to the first rows of a topic.
struct FitPass {
    let source: Topic
    let upstream: Upstream
    let stop: StopFlag

    /// Freezes the definition: its first `fitRows` rows are the first of each partition in turn, so
    /// that they depend on offsets alone.
    func run(
        _ definition: PreprocessDefinition, schema: RowSchema
    ) throws -> FrozenSpecification? {
        var fitter = try SpecificationFitter(definition: definition, schema: schema)
        let share = (definition.fitRows + source.partitions - 1) / source.partitions
        for partition in 0..<source.partitions where fitter.needsRows {
            var reader = try source.reader(partition: partition)
            var left = share
            while left > 0, fitter.needsRows {
                if stop.isSet { return nil }
                let ended = upstream.haveWritersFinished
                guard let taken = try observe(&reader, &fitter, left) else {
                    if ended { break }
                    PinnedThread.sleep(nanoseconds: 1_000_000)
                    continue
                }
                left -= taken
            }
        }
        return FrozenSpecification(try fitter.freeze())
    }

    private func observe(
        _ reader: inout PartitionReader, _ fitter: inout SpecificationFitter, _ most: Int
    ) throws -> Int? {
        guard let batch = try reader.next() else { return nil }
        let count = min(most, batch.rows)
        for index in 0..<count { fitter.observe(batch.value(index)) }
        return count
    }
}
