internal import MillraceCompute

/// What a trainer brings to an average: its model, and how much of it is new.
package struct ModelContribution: Sendable {
    /// Rows learnt since the trainer last took part in an average, at least one: its weight.
    package let rows: Int
    /// Rows that the trainer has learnt in its life.
    package let lifeRows: Int
    /// The model; its statistics are those of the trainer's own rows, over its life.
    let replica: Replica

    /// So many that those of all trainers can be added up.
    static let mostRows = 1 << 50

    init(rows: Int, lifeRows: Int, replica: Replica) {
        self.rows = rows
        self.lifeRows = lifeRows
        self.replica = replica
    }

    /// The contribution as little-endian numbers: rows, rows of the life, statistics, optimiser and
    /// model.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.append([UInt64(rows), UInt64(lifeRows)])
        replica.encode(into: &writer)
        return writer.bytes
    }

    /// A contribution from bytes, of a model with these options.
    ///
    /// - Throws: `ModelError` with `malformedCheckpoint` for bytes that are none.
    package init(_ bytes: [UInt8], _ options: TrainingOptions) throws(ModelError) {
        var reader = ByteReader(bytes)
        let new = try reader.count("the number of new rows", atMost: Self.mostRows)
        let all = try reader.count("the number of rows", atMost: Self.mostRows)
        guard (1...max(all, 1)).contains(new), all >= new else {
            throw reader.malformed("\(new) new rows of \(all)")
        }
        let replica = try Replica(options, from: &reader)
        try reader.requireEnd()
        self.init(rows: new, lifeRows: all, replica: replica)
    }

    /// How many bytes a contribution has, of models with these options.
    package static func byteCount(_ options: TrainingOptions) -> Int {
        let parameters = NetworkShape(options).parameterCount
        let moments = (options.optimizer.hasFirst ? 1 : 0) + (options.optimizer.hasSecond ? 1 : 0)
        let statistics = 3 * 8 * options.features
        let optimizer = 3 * 8 + 4 * parameters * moments
        let model =
            options.isLinearSGD ? 8 * (3 + options.features) + 4 * options.features : 4 * parameters
        return 2 * 8 + statistics + optimizer + model
    }
}
