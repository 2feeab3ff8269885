/// A trainer that learns one model together with others.
///
/// Between two averages it learns with the statistics of the newest one and of the rows that it has
/// learnt since; what it has learnt by itself is kept apart, so that no row is counted twice.
/// **Thread-safety**: as `combine`: while no lane is at work.
extension LaneTrainer {
    /// Begins to learn on top of an average, or of what all trainers begin with.
    ///
    /// What was learnt since the last average that the trainer took part in is forgotten.
    ///
    /// - Parameter former: Who the trainer was in earlier averages; nil where it is new.
    package func begin(with average: SharedModel, former: TrainerID?) {
        center = average.replica
        let none = FeatureStatistics(features: options.features)
        let known = average.shares.first { $0.trainer == former }?.statistics
        exchange = ExchangeState(
            base: average, known: known ?? exchange?.known ?? none, recent: none,
            knownRows: rowsSeen)
    }

    /// Rows learnt since the trainer last took part in an average; 0 where it does not exchange.
    package var newRows: Int { exchange.map { rowsSeen - $0.knownRows } ?? 0 }

    /// The newest average that the trainer knows of; nil where it does not exchange.
    package var average: SharedModel? { exchange?.base }

    /// What the trainer brings to the next average.
    package func contribution() -> ModelContribution {
        guard let exchange else { preconditionFailure("the trainer exchanges") }
        var replica = center
        replica.statistics = exchange.own
        return ModelContribution(rows: newRows, lifeRows: rowsSeen, replica: replica)
    }

    /// Takes an average over that the trainer took part in with all that it has learnt.
    package func adopt(_ average: SharedModel) {
        guard let own = exchange?.own else { preconditionFailure("the trainer exchanges") }
        center = average.replica
        exchange = ExchangeState(
            base: average, known: own, recent: FeatureStatistics(features: options.features),
            knownRows: rowsSeen)
    }

    /// Moves what the trainer has learnt onto an average that it did not take part in.
    ///
    /// Parameters move by the difference of the new average and the one before, and so do the sums
    /// of AdaGrad and FTRL; velocities and the means of Adam stay the trainer's own. Its rows still
    /// count as new.
    package func move(to average: SharedModel) {
        guard let base = exchange?.base, let recent = exchange?.recent else {
            preconditionFailure("the trainer exchanges")
        }
        center.move(from: base.replica, to: average.replica)
        center.statistics = average.replica.statistics
        center.statistics.merge(recent)
        exchange?.base = average
    }
}

/// What a trainer keeps to exchange with others.
struct ExchangeState: Sendable {
    /// The newest average.
    var base: SharedModel
    /// Statistics of the trainer's own rows that the averages know of.
    var known: FeatureStatistics
    /// The same of its rows since.
    var recent: FeatureStatistics
    /// How many rows the averages know of.
    var knownRows: Int

    /// Statistics of all its own rows.
    var own: FeatureStatistics {
        var all = known
        all.merge(recent)
        return all
    }

    func encode(into writer: inout ByteWriter) {
        writer.append(UInt64(knownRows))
        known.encode(into: &writer)
        recent.encode(into: &writer)
        base.encode(into: &writer)
    }

    init(base: SharedModel, known: FeatureStatistics, recent: FeatureStatistics, knownRows: Int) {
        self.base = base
        self.known = known
        self.recent = recent
        self.knownRows = knownRows
    }

    init(
        _ options: TrainingOptions, rowsSeen: Int, from reader: inout ByteReader
    ) throws(ModelError) {
        knownRows = try reader.count("the number of averaged rows", atMost: rowsSeen)
        known = try FeatureStatistics(features: options.features, from: &reader)
        recent = try FeatureStatistics(features: options.features, from: &reader)
        base = try SharedModel(options, from: &reader)
    }
}
