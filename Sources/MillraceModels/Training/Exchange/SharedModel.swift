internal import MillraceCompute

/// What trainers that exchange have in common: the average of a round, with the statistics of the
/// rows of all who ever took part in one.
///
/// The same contributions in the same order give the same bits on every host and kernel set.
package struct SharedModel: Sendable {
    /// The model; its statistics are those of all shares, merged in their order.
    private(set) var replica: Replica
    /// What each trainer has learnt that ever took part, by names ascending.
    package private(set) var shares: [TrainerShare]

    /// What a training begins with, before there is an average.
    package init(_ options: TrainingOptions) {
        replica = Replica(options)
        shares = []
    }

    /// The average of contributions, each with its part of the new rows.
    ///
    /// - Parameters:
    ///   - contributions: At least one, by trainers' names ascending.
    ///   - others: The shares of trainers that are not among them.
    package init(
        averaging contributions: [(trainer: TrainerID, contribution: ModelContribution)],
        others: [TrainerShare]
    ) {
        replica = Replica.average(
            contributions.map { ($0.contribution.replica, $0.contribution.rows) })
        let named = contributions.map {
            TrainerShare(
                trainer: $0.trainer, rows: $0.contribution.lifeRows,
                statistics: $0.contribution.replica.statistics)
        }
        shares = (named + others).sorted { $0.trainer.name < $1.trainer.name }
        mergeStatistics()
    }

    private mutating func mergeStatistics() {
        replica.statistics = FeatureStatistics(features: replica.options.features)
        for share in shares { replica.statistics.merge(share.statistics) }
    }

    /// Rows that all trainers have learnt.
    package var rows: Int { shares.reduce(0) { $0 + $1.rows } }

    /// How many steps the optimiser took.
    package var steps: Int { replica.optimizer.steps }

    /// The average as a model: weights, means and deviations together.
    ///
    /// - Throws: `ModelError` when names do not fit, or training has made a number infinite.
    package func model(
        labels: [String] = [], featureNames: [String] = []
    ) throws(ModelError) -> Model {
        try replica.model(labels: labels, featureNames: featureNames)
    }

    func encode(into writer: inout ByteWriter) {
        TrainerShare.encode(shares, into: &writer)
        replica.encodeModel(into: &writer)
    }

    init(_ options: TrainingOptions, from reader: inout ByteReader) throws(ModelError) {
        shares = try TrainerShare.decode(options, from: &reader)
        replica = try Replica(
            options, FeatureStatistics(features: options.features), modelFrom: &reader)
        mergeStatistics()
    }

    /// All of it as bytes, for whoever compares two.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter()
        encode(into: &writer)
        return writer.bytes
    }
}

/// Who takes part in an exchange: a name, and one training under it from its beginning on.
package struct TrainerID: Sendable, Hashable {
    /// The trainer's name.
    package var name: String
    /// Drawn when the training began: tells it from an earlier one of the name.
    package var life: UInt64

    package init(name: String, life: UInt64) {
        self.name = name
        self.life = life
    }
}

/// What one trainer has learnt, up to the last average that it took part in.
package struct TrainerShare: Sendable, Equatable {
    /// The longest name in bytes.
    package static let maxNameBytes = 249
    /// The most trainers that a model may have had.
    package static let maxTrainers = 1024

    /// Whose it is.
    package let trainer: TrainerID
    /// Rows learnt.
    package let rows: Int
    /// Of the features of those rows.
    let statistics: FeatureStatistics

    init(trainer: TrainerID, rows: Int, statistics: FeatureStatistics) {
        self.trainer = trainer
        self.rows = rows
        self.statistics = statistics
    }

    static func encode(_ shares: [TrainerShare], into writer: inout ByteWriter) {
        writer.append(UInt64(shares.count))
        for share in shares {
            writer.append(share.trainer.name)
            writer.append([share.trainer.life, UInt64(share.rows)])
            share.statistics.encode(into: &writer)
        }
    }

    static func decode(
        _ options: TrainingOptions, from reader: inout ByteReader
    ) throws(ModelError) -> [TrainerShare] {
        var shares: [TrainerShare] = []
        for _ in 0..<(try reader.count("the number of trainers", atMost: maxTrainers)) {
            let name = try reader.text("the name of a trainer", atMost: maxNameBytes)
            guard name > shares.last?.trainer.name ?? "" else {
                throw reader.malformed("trainers that are not in the order of their names")
            }
            shares.append(
                TrainerShare(
                    trainer: TrainerID(name: name, life: try reader.word("a trainer's life")),
                    rows: try reader.count(
                        "the number of rows", atMost: ModelContribution.mostRows),
                    statistics: try FeatureStatistics(features: options.features, from: &reader)))
        }
        return shares
    }

    /// Shares as bytes.
    package static func encoded(_ shares: [TrainerShare]) -> [UInt8] {
        var writer = ByteWriter()
        encode(shares, into: &writer)
        return writer.bytes
    }

    /// Shares from bytes, of models with these options.
    ///
    /// - Throws: `ModelError` with `malformedCheckpoint` for bytes that are none.
    package static func decode(
        _ bytes: [UInt8], _ options: TrainingOptions
    ) throws(ModelError) -> [TrainerShare] {
        var reader = ByteReader(bytes)
        let shares = try decode(options, from: &reader)
        try reader.requireEnd()
        return shares
    }
}
