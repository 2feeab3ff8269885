internal import Logging
internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceLog
internal import MillraceModels
internal import MillraceRepository
internal import MillraceSystem

/// Trains one model from one feature topic on the slots of a group, and publishes versions as it
/// goes.
///
/// Work comes in rounds. In a round each slot takes the rows of its partitions that `StepPlan`
/// says and has the trainer's lanes learn them; the last slot to finish brings the lanes together,
/// while the others wait, and does what is due at this point of the stream. Which slot has which
/// partition, and how many slots there are, changes no bit.
///
/// Metrics, checkpoint and version are made at the same points of the stream, in this order:
/// the checkpoint names the version that belongs to it before the version exists, so that after a
/// crash at any instant the same version is published once. Offsets are committed after it.
final class TrainTask: @unchecked Sendable {
    // Sendable: a lane is touched by the slot that owns its partition, and everything that varies
    // only by the one who completes a round, while all others wait; the barrier orders the two. A
    // thread that saves uses a `Moment`, and what else it touches nobody does before `collect`.

    /// Labelled rows between two records of metrics, at first.
    static let metricsRows = 2048
    /// Labelled rows between two checkpoints where the definition does not say.
    static let checkpointRows = 200_000

    /// Labelled rows between two records of metrics after so many: a 32nd of them, within bounds.
    ///
    /// A watch over the features compares the means between two records: it keeps to the least.
    static func metricsRows(after rows: Int, _ drift: DriftDetection?) -> Int {
        drift == nil ? min(max(rows / 32 / metricsRows, 1), 32) * metricsRows : metricsRows
    }

    let stage: TrainStage
    let rows: any TrainingRows
    let repository: ModelRepository
    let specification: FrozenSpecification?
    let checkpointPath: String
    let status: StageStatus
    let metrics: MetricsTopic
    let logger: Logger
    let setup: TrainingSetup
    let trainer: LaneTrainer
    /// What the trainer's metrics have counted since the last record; nil for a regression.
    var classification: ClassificationWindow?
    var position: TrainingPosition
    var heldOut: HeldOutRows
    /// What the slots are to commit before their next round.
    var commits: [UInt64] = []
    /// Writes checkpoints while the lanes go on.
    let saver: SavingThread
    /// The bytes of the newest checkpoint, of whoever writes it.
    var checkpointBytes: [UInt8] = []
    /// Whether a checkpoint has been begun that nobody has taken note of.
    var isSaving = false
    /// Records that come behind that of the checkpoint that is being saved.
    var heldRecords: [MetricsRecord] = []
    /// The offsets of the newest checkpoint that is done; written by whoever writes it, and read
    /// once it has been waited for.
    var savedOffsets: [UInt64] = []
    /// The trainer's part in an exchange with others; nil where it learns by itself.
    let exchanger: ModelExchanger?
    /// Whether others may be waiting for this trainer.
    var isAwaited = false
    let stop: StopFlag
    private let upstream: Upstream
    private let rejections: RejectionLog
    private let plan: StepPlan
    private let barrier: PhaseBarrier
    private var lanes: [TrainLane] = []
    private var isOver = false
    /// Whether the rows end where an earlier run has decided, and those behind are to be learnt too.
    private var goesOnBehindEnds = false
    private var failure: (any Error)?
    /// What a slot has to say of the round, by its number.
    private let reports: [SlotReport]

    /// What a checkpoint holds: a training between two rounds.
    struct Moment: Sendable {
        var position: TrainingPosition
        var heldOut: HeldOutRows
        var trainer: TrainingSnapshot
    }

    /// What one slot found in a round.
    private final class SlotReport {
        var failure: (any Error)?
        var wasStopped = false
        /// How many partitions the slot has.
        var partitions = 0
    }

    /// What a train task works with.
    struct Surroundings {
        var rows: any TrainingRows
        /// Where the trainer exchanges with others; nil where it learns by itself.
        var exchange: (any ExchangeTransport)?
        var metrics: Topic
        /// The group's name and generation, and how many slots it has here.
        var group: String
        var generation: UInt32
        var slots: Int
        var repository: ModelRepository
        var specification: FrozenSpecification?
        var checkpointPath: String
        var status: StageStatus
        var stop: StopFlag
        var upstream: Upstream
        var rejections: RejectionLog
        var logger: Logger
    }

    init(_ stage: TrainStage, _ around: Surroundings) throws {
        self.stage = stage
        rows = around.rows
        repository = around.repository
        specification = around.specification
        checkpointPath = around.checkpointPath
        status = around.status
        stop = around.stop
        upstream = around.upstream
        rejections = around.rejections
        logger = around.logger
        let width = rows.features
        setup = try TrainingSetup(
            stage, features: width, policies: around.specification?.value.policies)
        plan = try StepPlan(setup.options, partitions: rows.partitions)
        barrier = PhaseBarrier(parties: around.slots)
        reports = (0..<around.slots).map { _ in SlotReport() }
        let begun = try Self.begin(stage, around, setup, lanes: plan.lanes)
        trainer = begun.trainer
        classification = begun.trainer.metrics.classification.map(ClassificationWindow.init)
        position = begun.position
        heldOut = begun.heldOut
        exchanger = begun.exchanger
        metrics = try MetricsTopic(
            around.metrics, training: position.trainingID, group: around.group,
            generation: around.generation)
        // Last, so that a beginning that fails leaves no thread behind.
        saver = try SavingThread(name: around.status.name)
    }

    // MARK: Rounds

    /// Goes on where an earlier run was: before the slots begin.
    ///
    /// A single pass that had reached its end goes on when the topic has grown since. Several
    /// passes over the same rows are over once they are done.
    func begin() throws {
        status.take(over: position.sourceRows)
        try settle(settlement(of: moment()), again: true)
        commits = savedOffsets
        if stage.epochs == 1, position.isFinished {
            position.isFinished = false
            position.ends = []
        }
        goesOnBehindEnds = stage.epochs == 1 && position.ends.contains { $0 != nil }
        isOver = position.isFinished || stop.isSet
        guard !isOver else { return }
        try openLanes()
        try join()
    }

    /// The work of one slot, from its first round to the last one of all.
    func work(_ member: any TrainingMember) throws {
        let report = reports[member.index]
        var partitions: [Int] = []
        do {
            if let settled = try member.settle(stop) {
                partitions = settled
                report.partitions = settled.count
            } else {
                report.wasStopped = true
            }
        } catch { report.failure = error }
        barrier.arrive { self.checkOwners() }
        while !isOver {
            if report.failure == nil, !report.wasStopped { round(partitions, member, report) }
            barrier.arrive { self.completeRound() }
        }
        // What the last round has made durable.
        if let failure { throw failure }
        try member.commit(commits)
        try member.finish()
    }

    /// Rows that somebody else has nobody here would learn.
    private func checkOwners() {
        guard !isOver, !reports.contains(where: { $0.failure != nil || $0.wasStopped }),
            reports.reduce(0, { $0 + $1.partitions }) != rows.partitions
        else { return }
        fail(others)
    }

    private var others: PipelineError {
        PipelineError(
            .tryLater, "the group of stage '\(status.name)' has other members by now",
            advice: "Run the same command again to go on.")
    }

    /// One slot's part of a round.
    private func round(
        _ partitions: [Int], _ member: any TrainingMember, _ report: SlotReport
    ) {
        do {
            try member.commit(commits)
            try keepUp(member)
            for number in partitions {
                let lane = lanes[number]
                let rows = plan.rows(of: number, turn: position.turn)
                guard try lane.fetch(rows, upstream, stop, waiting: { try keepUp(member) }) else {
                    report.wasStopped = true
                    return
                }
                lane.learn(trainer, lane: plan.lane(of: number), batchRows: plan.batchRows)
                member.tick()
            }
        } catch {
            report.failure = error
            // Others may wait for rows that do not come, and this for them.
            stop.set()
        }
    }

    /// Says that the slot is at work, and throws when the group has changed.
    ///
    /// Where nothing of a round is learnt, whoever has the partitions goes on from the checkpoint. Who
    /// waits for rows looks too: a group of Kafka changes only when all its members have heard of it.
    private func keepUp(_ member: any TrainingMember) throws {
        guard try member.isUndisturbed() else { throw others }
        member.tick()
    }

    /// Brings the lanes together and does what is due, while all slots wait.
    private func completeRound() {
        commits = []
        for report in reports where report.failure != nil {
            fail(report.failure)
            return
        }
        // Rows of a round that was not finished are learnt by the next run.
        guard !reports.contains(where: \.wasStopped) else {
            end()
            return
        }
        do {
            try collect(waiting: false)
            let evaluation = try combine()
            try countRows()
            let hasDecided = try decideEnds()
            position.offsets = lanes.map(\.nextOffset)
            position.turn = plan.next(
                after: position.turn, rows: lanes.reduce(0) { $0 + $1.block.sourceRows },
                exhausted: lanes.map(\.isExhausted))
            watch(evaluation)
            if lanes.allSatisfy(\.isExhausted) {
                try endEpoch()
            } else if try exchangeIfDue(durably: hasDecided) {
                try reachDuePoints(checkpoint: hasDecided)
            }
            if stop.isSet { end() }
        } catch {
            fail(error)
        }
    }

    /// Where one partition ends, all end as they are now; true when that was decided in this round.
    ///
    /// What is appended afterwards is then learnt after the rows of each, whoever was killed in between.
    private func decideEnds() throws -> Bool {
        if lanes.contains(where: { $0.end != nil }) {
            for lane in lanes { try lane.decideEnd() }
        }
        let ends = lanes.map(\.end)
        defer { position.ends = ends }
        return ends != position.ends && ends.contains { $0 != nil }
    }

    /// Ends the rounds once what is being saved is saved.
    private func end() {
        isOver = true
        do { try collect(waiting: true) } catch { fail(error) }
        leaveStopped()
    }

    private func fail(_ error: (any Error)?) {
        // The first error counts, and a checkpoint that is being written is not given up.
        if failure == nil { failure = error }
        do { try collect(waiting: true) } catch {
            logger.warning(
                "\(status.name): the last checkpoint failed too: \(error)",
                metadata: ["error": "\(error)"])
        }
        isOver = true
        stop.set()
    }

    private func combine() throws -> BatchEvaluation {
        do throws(ModelError) { return try trainer.combine() } catch {
            throw PipelineError(
                .badData,
                "training of '\(stage.model)' on topic '\(rows.name)', rows before offsets "
                    + "\(lanes.map { rows.offset(of: $0.nextOffset) }): \(error.description)",
                advice: "The versions published so far stay as they are.")
        }
    }

    /// Counts what the lanes took in this round, in their order.
    private func countRows() throws {
        for lane in lanes {
            for row in lane.block.rejected { try count(rejected: row, of: lane) }
            for row in lane.block.refused { try count(rejected: row, of: lane) }
            position.sourceRows += lane.block.sourceRows
            status.add(rows: lane.block.sourceRows)
            if !lane.block.heldLabels.isEmpty { heldOut.add(lane.block) }
        }
    }

    private func count(rejected row: RowBlock.LeftOut, of lane: TrainLane) throws {
        position.rejectedRows += 1
        status.add(rejected: 1)
        try rejections.reject(
            file: "topic \(rows.name), partition \(rows.number(of: lane.partition))",
            line: Int(row.offset), row.reason, policy: .skip)
    }

    /// What is known of the rows since the last record; begins anew.
    func takeWindow() -> BatchEvaluation {
        var whole = BatchEvaluation()
        for lane in lanes {
            whole.add(lane.window)
            lane.window = BatchEvaluation()
        }
        return whole
    }

    var windowRows: Int { lanes.reduce(0) { $0 + $1.window.rows } }

    /// Lets go of the metrics topic, whether the slots have come to their end or failed.
    ///
    /// What was learnt since the last checkpoint is learnt again, to the same bits.
    func close() throws {
        saver.end()
        try exchanger?.close()
        try metrics.close()
    }

    // MARK: Passes

    private func openLanes() throws {
        lanes = try (0..<rows.partitions).map { partition in
            let offset = partition < position.offsets.count ? position.offsets[partition] : 0
            let end = partition < position.ends.count ? position.ends[partition] : nil
            let feed = try RowFeed(
                rows, partition, setup.options.objective, holdOut: stage.holdOut, from: offset,
                end: end)
            return TrainLane(partition, feed: feed, width: rows.features)
        }
    }

    private func endEpoch() throws {
        if position.epoch + 1 < stage.epochs {
            // Windows do not reach from one pass into the next.
            if windowRows > 0 { try say(record()) }
            position.epoch += 1
            position.turn = 0
            position.offsets = []
            try openLanes()
            // Where the partitions end is known from now on, whatever is appended.
            try reachDuePoints(checkpoint: true)
            return
        }
        // Where rows end everything is averaged; that they end is durable before.
        guard try exchange(durably: true) else { return }
        if goesOnBehindEnds, try lanes.contains(where: { lane throws in try lane.hasGrown }) {
            goesOnBehindEnds = false
            position.ends = []
            let windows = lanes.map(\.window)
            try openLanes()
            for (lane, window) in zip(lanes, windows) { lane.window = window }
            try reachDuePoints(checkpoint: false)
            return
        }
        position.isFinished = true
        try leave()
        try reachPoint(publish: trainer.rowsSeen > position.publishedRows)
        try collect(waiting: true)
        isOver = true
    }
}
