internal import Logging
internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceLog
internal import MillraceRepository
internal import MillraceServing
internal import MillraceSystem

/// Runs one stage of a pipeline: opens its group, then works on its partitions.
struct StageRunner {
    let stage: StageDefinition
    let plan: PipelinePlan
    let data: DataDirectory
    let board: TopicBoard
    let status: StageStatus
    let stop: StopFlag
    let rejections: RejectionLog
    let upstream: Upstream
    /// The trainers of the model that a score stage uses which are part of the run.
    let trainers: [StageStatus]
    let logger: Logger

    var repository: ModelRepository { ModelRepository(path: plan.options.models) }

    func run() throws {
        if let source = kafkaTopic(stage.input) {
            switch stage.work {
            case .preprocess(let work): return try preprocess(work, from: source)
            case .train(let work): return try train(work, from: source)
            case .score(let work): return try score(work, from: source)
            }
        }
        guard let source = board.wait(for: stage.input.name) else { return }
        do {
            switch stage.work {
            case .preprocess(let work): try preprocess(work, source)
            case .train(let work): try train(work, source)
            case .score(let work): try score(work, source)
            }
        } catch let error as LogError where error.code == .offsetOutOfRange {
            throw PipelineError(
                .badData, "stage \"\(stage.name)\" cannot go on where it was: \(error)",
                advice: adviceOnLostRows(of: source))
        }
    }

    private func adviceOnLostRows(of source: Topic) -> String {
        if case .train = stage.work {
            return "To train anew on the rows that are left, remove \(checkpointPath)."
        }
        return "To go on with the rows that are left: millrace group reset "
            + "\(stage.group) \(source.name) --to earliest"
    }

    func group(
        _ topic: Topic, partitions: [Int]? = nil, outputs: [Topic] = [], cores: [Int]?,
        coreSharing: CoreSharing = .withinProcess, isExclusive: Bool = false,
        mayHang: Bool = false
    ) throws -> ConsumerGroup {
        // A trainer may take any time for what it does between two looks at the group.
        let options =
            isExclusive
            ? MemberOptions(hangMilliseconds: 0)
            : mayHang
                ? MemberOptions(instance: plan.options.instance, hangMilliseconds: 0)
                : MemberOptions(instance: plan.options.instance)
        let group = try ConsumerGroup(
            data: data, name: stage.group, topics: [topic], partitions: partitions,
            outputs: outputs, cores: cores,
            coreSharing: plan.options.sharesCores ? .allowed : coreSharing,
            assignor: stage.assignor, isExclusive: isExclusive, options: options)
        if !plan.options.sharesCores { try warnOfShared(group) }
        status.begin(cores: Array(group.cores.prefix(topic.partitions)))
        return group
    }

    /// The cores that the stage may run on.
    func availableCores() throws -> [Int] {
        try stage.cores ?? plan.options.cores
            ?? CoreList(
                automaticOn: .current(), avoiding: PipelinePlan.coresOfOthers(data).map(\.core)
            ).cores
    }

    /// Says so when no core was free, and the stage has to share one with another process.
    private func warnOfShared(_ group: ConsumerGroup) throws {
        let others = try PipelinePlan.coresOfOthers(data)
        guard
            let use = others.first(where: { use in
                use.group != group.name && group.cores.contains(use.core)
            })
        else { return }
        logger.warning(
            """
            \(stage.name) shares core \(use.core) with group '\(use.group)' of process \
            \(use.process), since none is free
            """,
            metadata: [
                "core": "\(use.core)", "other_group": "\(use.group)", "process": "\(use.process)",
            ])
    }

    func loop(_ consumer: GroupConsumer, _ vote: EndVote) -> SlotLoop<GroupConsumer> {
        SlotLoop(
            consumer: consumer, upstream: upstream, stop: stop, status: status, vote: vote)
    }
}
