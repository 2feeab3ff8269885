package import MillraceCompute

/// Trains one model on several lanes, each of which gets rows of its own: the work of a group.
///
/// Work comes in rounds of two phases. First each lane is given rows, by any thread, each lane by
/// one thread at a time; then, when no lane is at work, one thread calls `combine`. By
/// `Synchronization.reduce` a round is one step: lanes derive gradients, which are added up in one
/// fixed tree, and the model takes the step. By `average` a round is as many steps as its lanes are
/// given batches: each lane learns on a replica, and the replicas become one.
///
/// Which lane gets which rows decides every bit; which thread works for which lane, and how many
/// threads there are, decides none.
/// **Thread-safety**: as above; whoever calls puts a barrier between the phases.
package final class LaneTrainer: @unchecked Sendable {
    // Sendable: a lane is touched by one thread at a time, and everything else only by `combine`
    // and while no lane is at work; the caller's barrier orders the two.

    package let options: TrainingOptions
    var center: Replica
    private let lanes: [Lane]
    /// How many rows were learnt from.
    package private(set) var rowsSeen: Int
    /// Whether it has statistics for `takeShift`, whatever the options need.
    private let watchesFeatures: Bool
    /// Of the rows since `takeShift`; of none where features are not watched.
    private var recent: FeatureStatistics
    /// What it keeps where it learns together with others.
    var exchange: ExchangeState?

    private final class Lane {
        var lane: TrainingLane
        /// The lane's own model between two averages.
        var replica: Replica?
        var failure: ModelError?

        init(_ lane: TrainingLane) { self.lane = lane }
    }

    /// A trainer that has seen nothing; only one that `watchesFeatures` can tell how they shift.
    ///
    /// - Throws: `ModelError` with `invalidOption`.
    package convenience init(
        _ options: TrainingOptions, lanes: Int, kernels: KernelSet = .best,
        watchesFeatures: Bool = false
    ) throws(ModelError) {
        try options.validate()
        self.init(options, TrainingState(options, lanes: lanes), kernels, watchesFeatures)
    }

    private init(
        _ options: TrainingOptions, _ state: TrainingState, _ kernels: KernelSet,
        _ watchesFeatures: Bool
    ) {
        precondition(!state.lanes.isEmpty, "there is at least one lane")
        OpenBLAS.prepare()
        self.options = options
        self.watchesFeatures = watchesFeatures
        center = state.replica
        rowsSeen = state.rowsSeen
        recent = state.recent
        exchange = state.exchange
        let shape = state.replica.shape
        lanes = state.lanes.map {
            Lane(
                TrainingLane(
                    options, shape, kernels, watches: watchesFeatures, metrics: $0.metrics,
                    heldOut: $0.heldOut))
        }
    }

    package var laneCount: Int { lanes.count }

    /// How many steps the optimiser took.
    package var steps: Int { center.optimizer.steps }

    /// Gives rows to a lane: all of its rows of this step, or its next batch of this round.
    ///
    /// A failure is kept for `combine`, and the lane takes nothing more in this round.
    package func contribute(_ rows: borrowing LabelledRows, to index: Int) {
        let lane = lanes[index]
        lane.lane.discardOutputs()
        guard rows.rows > 0, lane.failure == nil else { return }
        do throws(ModelError) {
            if isDirect {
                try lane.lane.learn(rows, on: &center)
            } else if options.synchronization == .reduce {
                try lane.lane.derive(rows, by: center)
            } else {
                var replica = lane.replica.take() ?? center
                // Rows that are refused leave it as it was: there is none before any are learnt.
                defer { lane.replica = lane.lane.evaluation.rows > 0 ? replica : nil }
                try lane.lane.learn(rows, on: &replica)
            }
        } catch {
            lane.failure = error
        }
    }

    /// Forgives a lane that was given rows with an infinite feature, of which it has learnt none;
    /// false when that is not what it has failed by.
    package func takeInfinity(of index: Int) -> Bool {
        guard lanes[index].failure?.code == .invalidFeature else { return false }
        lanes[index].failure = nil
        return true
    }

    /// Has a lane predict rows that nobody learns from; a failure is kept for `combine`.
    package func judge(_ rows: borrowing LabelledRows, on index: Int) {
        let lane = lanes[index]
        guard rows.rows > 0, lane.failure == nil else { return }
        do throws(ModelError) { try lane.lane.judge(rows, by: center) } catch {
            lane.failure = error
        }
    }

    /// How well the rows were predicted that a lane was given in this round.
    package func evaluation(of index: Int) -> BatchEvaluation { lanes[index].lane.evaluation }

    /// One lane that learns row by row needs no replica.
    private var isDirect: Bool { lanes.count == 1 && options.mode == .sequential }

    /// Whether a lane has learnt the rows last given to it, or they wait for `combine`.
    package func hasTaken(_ index: Int) -> Bool { lanes[index].lane.outputCount > 0 }

    /// Ends a round: the model learns what the lanes have found out.
    ///
    /// - Throws: the failure of the first lane that has one, in the order of lanes; by `reduce` the
    ///   model is as before then.
    /// - Complexity: O(lanes · weights).
    package func combine() throws(ModelError) -> BatchEvaluation {
        defer { for lane in lanes { end(lane) } }
        for lane in lanes { if let failure = lane.failure { throw failure } }
        var total = BatchEvaluation()
        for lane in lanes { total.add(lane.lane.evaluation) }
        guard total.rows > 0 else { return total }
        for lane in lanes where lane.lane.evaluation.rows > 0 {
            if watchesFeatures { recent.merge(lane.lane.statistics) }
            exchange?.recent.merge(lane.lane.statistics)
        }
        if !isDirect {
            switch options.synchronization {
            case .reduce: reduce(rows: total.rows)
            case .average: averageLanes()
            }
        }
        rowsSeen += total.rows
        return total
    }

    private func end(_ lane: Lane) {
        lane.failure = nil
        lane.replica = nil
        lane.lane.begin()
    }

    /// Adds gradients up in a tree over the lanes' numbers, and takes the step.
    private func reduce(rows: Int) {
        var holders = lanes.map { $0.lane.evaluation.rows > 0 ? $0 : nil }
        var distance = 1
        while distance < holders.count {
            for left in stride(from: 0, to: holders.count, by: 2 * distance) {
                guard left + distance < holders.count, let right = holders[left + distance] else {
                    continue
                }
                if let sum = holders[left] {
                    sum.lane.add(gradientOf: right.lane)
                } else {
                    holders[left] = right
                }
            }
            distance *= 2
        }
        guard let sum = holders[0] else { return }
        center.step(sum.lane.workspace.gradient, rows: rows)
        mergeStatistics()
    }

    private func averageLanes() {
        let parts = lanes.compactMap { lane in
            lane.replica.map { (replica: $0, rows: lane.lane.evaluation.rows) }
        }
        let statistics = center.statistics
        center = Replica.average(parts)
        center.statistics = statistics
        mergeStatistics()
    }

    private func mergeStatistics() {
        for lane in lanes where lane.lane.evaluation.rows > 0 {
            center.statistics.merge(lane.lane.statistics)
        }
    }

    /// Metrics of all rows of all lanes, each before it was learnt.
    package var metrics: PrequentialMetrics {
        var total = lanes[0].lane.metrics
        for lane in lanes.dropFirst() { total.merge(lane.lane.metrics) }
        return PrequentialMetrics(total)
    }

    /// Metrics of the held-out rows of all lanes.
    package var heldOutMetrics: PrequentialMetrics {
        var total = lanes[0].lane.heldOut
        for lane in lanes.dropFirst() { total.merge(lane.lane.heldOut) }
        return PrequentialMetrics(total)
    }

    /// The feature whose mean, over the rows since the last call, is farthest from that of its life,
    /// and how far in standard deviations; nil where no feature has any.
    package func takeShift() -> (feature: Int, deviations: Double)? {
        precondition(watchesFeatures, "features are not watched")
        let life = center.statistics
        let now = recent
        recent = FeatureStatistics(features: options.features)
        return life.farthestMean(in: now)
    }

    /// All that the next round depends on, between two rounds; it stays as it is while the trainer
    /// goes on.
    ///
    /// - Complexity: O(lanes); the next step copies the model once.
    package func snapshot() -> TrainingSnapshot {
        let lanes = lanes.map {
            TrainingState.Lane(metrics: $0.lane.metrics, heldOut: $0.lane.heldOut)
        }
        return TrainingSnapshot(
            options,
            TrainingState(
                rowsSeen: rowsSeen, replica: center, recent: recent, lanes: lanes,
                exchange: exchange))
    }

    /// The model as it is now: weights, means and deviations together.
    ///
    /// - Throws: `ModelError` when names do not fit, or training has made a number infinite.
    package func model(
        labels: [String] = [], featureNames: [String] = []
    ) throws(ModelError) -> Model {
        try center.model(labels: labels, featureNames: featureNames)
    }

    /// The bytes of a snapshot, from which a trainer goes on.
    package func checkpoint() -> [UInt8] { snapshot().encoded() }

    /// A trainer that goes on from a checkpoint, bit for bit; `exchanges` says whether it is of one
    /// that learns together with others.
    ///
    /// Statistics that the checkpoint has and the trainer would not keep stay as they are.
    ///
    /// - Throws: `ModelError` with `malformedCheckpoint`, `otherOptions` or `invalidOption`.
    package convenience init(
        checkpoint: [UInt8], _ options: TrainingOptions, lanes: Int, kernels: KernelSet = .best,
        watchesFeatures: Bool = false, exchanges: Bool = false
    ) throws(ModelError) {
        let state = try TrainingState(
            checkpoint, options, lanes: lanes, exchanges: exchanges)
        self.init(options, state, kernels, watchesFeatures)
    }
}

/// A training as it was between two rounds.
package struct TrainingSnapshot: Sendable {
    private let options: TrainingOptions
    private let state: TrainingState

    init(_ options: TrainingOptions, _ state: TrainingState) {
        self.options = options
        self.state = state
    }

    /// How many rows had been learnt from.
    package var rowsSeen: Int { state.rowsSeen }

    /// How many steps the optimiser had taken.
    package var steps: Int { state.replica.optimizer.steps }

    /// Metrics of all rows of all lanes, each before it was learnt.
    package var metrics: PrequentialMetrics {
        var total = state.lanes[0].metrics
        for lane in state.lanes.dropFirst() { total.merge(lane.metrics) }
        return PrequentialMetrics(total)
    }

    /// The newest average, where the trainer learns together with others.
    package var average: SharedModel? { state.exchange?.base }

    /// The model as it was; of a trainer that learns together with others, the newest average.
    ///
    /// - Throws: as `LaneTrainer.model`.
    package func model(
        labels: [String] = [], featureNames: [String] = []
    ) throws(ModelError) -> Model {
        let replica = state.exchange?.base.replica ?? state.replica
        return try replica.model(labels: labels, featureNames: featureNames)
    }

    /// Everything, as bytes: see `LaneTrainer.init(checkpoint:_:lanes:)`.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        encode(into: &bytes)
        return bytes
    }

    /// Appends everything as bytes.
    package func encode(into bytes: inout [UInt8]) { state.encode(options, into: &bytes) }
}

/// Metrics over the life of a training, each row predicted before it was learnt.
package struct PrequentialMetrics: Sendable {
    /// How many rows were counted.
    package let rows: Int
    /// The mean loss, weights of rows left out; NaN without rows.
    package let loss: Double
    /// Nil for a regression.
    package let classification: ClassificationMetrics?
    /// Nil for a classification.
    package let regression: RegressionMetrics?

    init(_ metrics: StreamMetrics) {
        rows = metrics.rows
        loss = metrics.lossSum / Double(metrics.rows)
        classification = metrics.classification
        regression = metrics.regression
    }
}
