internal import MillraceCompute
internal import MillraceKafka
internal import MillraceLog
internal import MillraceModels
internal import MillraceServing

/// A partition of a predictions topic of the log.
///
/// Each batch names the model version and the kernel set that made it and the source rows that it
/// covers: predictions and progress are one append. A row whose outputs are not finite is marked.
final class LogOutput: PredictionOutput {
    private var output: OutputPartition?
    /// Whose builder every batch is made in.
    private let memory: SlotMemory
    /// Told of every append; the group's own record of it is a copy.
    private let onProgress: (_ next: UInt64) throws -> Void

    /// Writes to an output that was opened for the model's predictions.
    init(
        _ output: consuming OutputPartition, _ memory: SlotMemory,
        onProgress: @escaping (_ next: UInt64) throws -> Void
    ) {
        self.output = consume output
        self.memory = memory
        self.onProgress = onProgress
    }

    func append(
        _ rows: FeatureRows, by version: ServingVersion,
        _ predict: (_ outputs: inout MutableSpan<Float>) -> [NullRow]
    ) throws -> Int {
        memory.builder.reset()
        var nulls: [NullRow] = []
        if rows.rows > 0 {
            memory.builder.columns = version.model.outputWidth
            nulls = Self.fill(&memory.builder, rows.rows, predict)
            if !nulls.isEmpty { mark(nulls, of: rows.rows) }
        }
        if let records = rows.records { place(records, from: rows.begin) }
        try output?.append(
            &memory.builder, of: rows.begin..<rows.end, epoch: rows.epoch,
            modelVersion: UInt64(version.version))
        try onProgress(rows.end)
        return nulls.count
    }

    private static func fill(
        _ builder: inout BatchBuilder, _ rows: Int,
        _ predict: (_ outputs: inout MutableSpan<Float>) -> [NullRow]
    ) -> [NullRow] {
        var outputs = builder.addRows(rows)
        return predict(&outputs)
    }

    /// Marks each row: 0 where it has outputs.
    private func mark(_ nulls: [NullRow], of rows: Int) {
        var rest = nulls[...]
        for row in 0..<rows {
            memory.builder.addMark(rest.first?.row == row ? rest.removeFirst().mark : 0)
        }
    }

    /// Says which source offset each row has, and which have none.
    private func place(_ records: SourceRecords, from begin: UInt64) {
        for offset in records.offsets {
            memory.builder.addSourceDelta(UInt32(truncatingIfNeeded: offset - begin))
        }
        for bad in records.bad {
            memory.builder.drop(
                sourceDelta: UInt32(truncatingIfNeeded: bad.offset - begin),
                reason: bad.refusal.reason)
        }
    }

    func close() throws { try output.take()?.close() }
}
