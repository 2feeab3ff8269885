public import Logging
internal import MillraceCompute
internal import MillraceFeatures
public import MillraceGroups
internal import MillraceInput
internal import MillraceKafka
internal import MillraceLog
internal import MillraceRepository
internal import MillraceSystem
internal import Synchronization

/// One run of a pipeline in this process.
///
/// Making it checks everything that can be checked and writes nothing. `run` then moves rows until
/// everything has been read (or, following, until `stop`), and may be killed at any instant: the
/// next run goes on where this one was, with exactly one outcome for every row.
/// **Thread-safety**: one of `run` and `runStages` is called, once; `stop` and `progress` from any
/// thread at any time.
public final class PipelineRun: Sendable {
    private let plan: PipelinePlan
    private let logger: Logger
    private let stopFlag = StopFlag()
    private let board: TopicBoard
    private let rejections: RejectionLog
    private let statuses: [String: StageStatus]
    private let sourceStatuses: [StageStatus]
    private let kafkaStatuses: [StageStatus]
    private let failure = Lock<PipelineError?>(nil)
    private let wasInterrupted = Atomic<Bool>(false)

    /// Checks a definition against the files, topics and cores that it names.
    ///
    /// - Throws: `PipelineError`; nothing has been written then.
    public init(
        _ definition: PipelineDefinition, options: RunOptions, logger: Logger
    ) throws(PipelineError) {
        plan = try PipelinePlan(definition, options)
        self.logger = logger
        board = TopicBoard(stop: stopFlag)
        rejections = RejectionLog(logger: logger)
        statuses = Dictionary(
            plan.stages.map { ($0.name, StageStatus(name: $0.name, kind: $0.kind)) }
        ) { first, _ in first }
        sourceStatuses = plan.sources.map { StageStatus(name: $0.file, kind: "source") }
        kafkaStatuses = plan.kafkaSources.map {
            StageStatus(name: $0.address.description, kind: "source")
        }
        for source in plan.kafkaSources { try KafkaSource.check(source, data: options.data) }
    }

    /// Asks every thread to finish its batch, commit and end.
    public func stop() {
        wasInterrupted.store(true, ordering: .relaxed)
        stopFlag.set()
    }

    /// How far sources and stages are, in the order of the file.
    public func progress() -> [StageProgress] {
        let sources = (sourceStatuses + kafkaStatuses).map {
            $0.snapshot(total: $0.hasFinished ? $0.rowsDone : nil)
        }
        return sources
            + plan.stages.compactMap { stage in
                statuses[stage.name]?.snapshot(total: total(of: stage))
            }
    }

    /// The groups of the stages as they are at this moment, with the stages' names.
    ///
    /// A group that has not been made yet, and one that cannot be read, are left out.
    /// - Complexity: opens the files of each group and looks at the end of each partition.
    public func groups() -> [(stage: String, group: GroupDescription)] {
        let data: DataDirectory
        do throws(LogError) { data = try DataDirectory(plan.options.data, create: false) } catch {
            return []
        }
        let catalog = GroupCatalog(data)
        return plan.stages.compactMap { stage in
            do throws(GroupError) { return (stage.name, try catalog.describe(stage.group)) } catch {
                return nil
            }
        }
    }

    /// `progress`, where a stage that follows its topic says how far behind its group is, all members
    /// together: whether it is alive, has caught up, and how old its model is.
    ///
    /// - Complexity: as `groups`.
    public func health() -> [StageProgress] {
        let behind = Dictionary(
            groups().map { stage, group in
                (stage, group.partitions.reduce(0) { $0 + Int($1.lag ?? 0) })
            }
        ) { first, _ in first }
        return progress().map { stage in
            var stage = stage
            stage.lagRows = stage.lagRows ?? behind[stage.name]
            return stage
        }
    }

    /// Rows that a stage will have worked on at its end; nil while its input grows.
    private func total(of stage: StageDefinition) -> Int? {
        guard upstream(of: stage).hasEnded, let topic = board.find(stage.input.name) else {
            return nil
        }
        var rows = 0
        for partition in 0..<topic.partitions {
            do throws(LogError) { rows += Int(try topic.endOffset(partition: partition)) } catch {
                return nil
            }
        }
        if case .train(let work) = stage.work { return rows * work.epochs }
        return rows
    }

    /// Runs to the end and reads back what is in the topics then, all of it.
    ///
    /// - Throws: the first error of any stage, or `interrupted` after `stop`.
    public func run() throws(PipelineError) -> RunResult {
        let (data, seconds) = try work()
        return try pipelineErrors {
            let progress = Dictionary(self.progress().map { ($0.name, $0) }) { $1 }
            return RunResult(
                try RunReading(self.plan, data: data).read(seconds: seconds, progress),
                definition: self.plan.definition)
        }
    }

    /// Runs to the end and reads nothing back: for services, which end at once when they are asked to.
    ///
    /// - Throws: As `run`.
    public func runStages() throws(PipelineError) { _ = try work() }

    /// Runs to the end; tells how many seconds it took.
    private func work() throws(PipelineError) -> (data: DataDirectory, seconds: Double) {
        OpenBLAS.prepare()
        let begun = Clock.monotonicNanoseconds()
        let data = try prepare()
        let threads = try pipelineErrors {
            try self.startSources(data) + self.startKafka(data) + self.startStages(data)
        }
        // Who cannot tell others about itself works all the same.
        let reporter = try? StageReporter(
            plan.stages.compactMap { stage in
                self.statuses[stage.name].map { (stage.group, $0) }
            }, data: data.path)
        for thread in threads { thread.join() }
        reporter?.finish()
        if let error = failure.withLock({ $0 }) { throw error }
        let seconds = Double(Clock.monotonicNanoseconds() - begun) / 1e9
        if wasInterrupted.load(ordering: .relaxed), !plan.options.follow {
            throw PipelineError(
                .interrupted, "stopped before the end; everything done so far is committed",
                advice: "Run the same command again to go on.")
        }
        return (data, seconds)
    }

    /// Makes the data directory and the topics whose width is known.
    private func prepare() throws(PipelineError) -> DataDirectory {
        let data: DataDirectory
        do throws(LogError) { data = try DataDirectory(plan.options.data, create: true) } catch {
            var found = PipelineError(error)
            if error.code == .system { found.code = .cannotCreate }
            throw found
        }
        do throws(LogError) {
            for definition in plan.definition.topics where definition.kafka == nil {
                if case .features(.stage(let encoder), _, _) = definition.content {
                    // Its encoder makes it once the specification is frozen; without the encoder
                    // it has to be there.
                    if statuses[encoder.name] == nil, reads(definition.name) {
                        board.add(try data.topic(definition.name))
                    }
                    continue
                }
                var width = 0
                if case .features(.fixed(let count), _, _) = definition.content { width = count }
                guard let wanted = plan.configuration(of: definition, features: width) else {
                    continue
                }
                let topic = try data.topic(definition.name, creating: wanted)
                if let schema = plan.schemas[definition.name] {
                    try topic.declare(schema)
                } else {
                    board.add(topic)
                }
            }
            return data
        } catch {
            throw PipelineError(error)
        }
    }

    private func reads(_ topic: String) -> Bool {
        plan.stages.contains { $0.input.name == topic }
    }

    private func startSources(_ data: DataDirectory) throws -> [PinnedThread] {
        let pairs = Array(zip(plan.sources, sourceStatuses))
        return try pairs.enumerated().map { index, pair in
            let (source, status) = pair
            // A partition has one writer: the sources of one topic take turns, in the file's order.
            let earlier = pairs[..<index].filter { $0.0.to.name == source.to.name }.map(\.1)
            return try start(status) {
                while !earlier.allSatisfy(\.hasFinished), !self.stopFlag.isSet {
                    PinnedThread.sleep(nanoseconds: 1_000_000)
                }
                guard !self.stopFlag.isSet else { return }
                let topic = try data.topic(source.to.name)
                status.begin(cores: [])
                var reader = try FileSource(
                    source, topic: topic, status: status, stop: self.stopFlag,
                    rejections: self.rejections)
                // Its writers have brought the partitions in order: now they may be read.
                self.board.add(topic)
                try reader.run()
            }
        }
    }

    private func startKafka(_ data: DataDirectory) throws -> [PinnedThread] {
        try zip(plan.kafkaSources, kafkaStatuses).map { source, status in
            try start(status) {
                guard !self.stopFlag.isSet else { return }
                status.begin(cores: [])
                self.board.add(try data.topic(source.to.name))
                try KafkaSource.run(
                    source, data: data.path, follow: self.plan.options.follow, status: status,
                    stop: self.stopFlag)
            }
        }
    }

    private func startStages(_ data: DataDirectory) throws -> [PinnedThread] {
        try plan.stages.map { stage in
            guard let status = statuses[stage.name] else {
                preconditionFailure("stage \(stage.name) has no status")
            }
            return try start(status) {
                // Without an end to wait for, a stage starts at once.
                if let after = stage.after, !self.plan.options.follow {
                    self.wait(for: after.name)
                }
                guard !self.stopFlag.isSet else { return }
                var logger = self.logger
                logger[metadataKey: "stage"] = "\(stage.name)"
                logger[metadataKey: "group"] = "\(stage.group)"
                let runner = StageRunner(
                    stage: stage, plan: self.plan, data: data, board: self.board,
                    status: status, stop: self.stopFlag, rejections: self.rejections,
                    upstream: self.upstream(of: stage), trainers: self.trainers(for: stage),
                    logger: logger)
                try runner.run()
            }
        }
    }

    /// A thread for a source or stage, whose failure ends the run.
    private func start(
        _ status: StageStatus, _ body: @escaping @Sendable () throws -> Void
    ) throws -> PinnedThread {
        try PinnedThread(name: status.name, core: nil) {
            do {
                try body()
                status.end(self.stopFlag.isSet ? .waiting : .done)
            } catch {
                status.end(.failed)
                let found = PipelineError.from(error)
                self.failure.withLock { if $0 == nil { $0 = found } }
                self.stopFlag.set()
            }
        }
    }

    private func wait(for stage: String) {
        guard let status = statuses[stage] else { return }
        while !status.hasFinished, !stopFlag.isSet {
            PinnedThread.sleep(nanoseconds: 1_000_000)
        }
    }

    /// The sources and stages of this run that write what `stage` reads.
    private func upstream(of stage: StageDefinition) -> Upstream {
        let topic = stage.input.name
        var writers = zip(plan.sources, sourceStatuses).filter { $0.0.to.name == topic }.map(\.1)
        writers += zip(plan.kafkaSources, kafkaStatuses).filter { $0.0.to.name == topic }.map(\.1)
        for other in plan.stages where other.outputs.contains(where: { $0.name == topic }) {
            if let status = statuses[other.name] { writers.append(status) }
        }
        return Upstream(writers, follow: plan.options.follow)
    }

    /// The stages of this run that train the model that `stage` scores with.
    private func trainers(for stage: StageDefinition) -> [StageStatus] {
        guard case .score(let score) = stage.work else { return [] }
        return plan.stages.filter { $0.trains(score.model.name) }.compactMap { statuses[$0.name] }
    }
}
