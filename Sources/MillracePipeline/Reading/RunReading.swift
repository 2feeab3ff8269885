internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceKafka
internal import MillraceLog
internal import MillraceModels
internal import MillraceRepository
internal import MillraceSystem

/// Reads a pipeline's topics from front to back and says what is in them.
///
/// Nothing comes from the stages' own counters, but for what a stage does in Kafka: a row counts
/// because it was read.
struct RunReading {
    let plan: PipelinePlan
    let data: DataDirectory

    init(_ plan: PipelinePlan, data: DataDirectory) {
        self.plan = plan
        self.data = data
    }

    /// Everything that was read: the summary, and what plots need.
    ///
    /// `progress` is what the stages themselves say, by name.
    func read(
        seconds: Double, _ progress: [String: StageProgress]
    ) throws -> RunFindings {
        var findings = RunFindings()
        let names = try data.topicNames().filter { plan.definition.topic(named: $0)?.kafka == nil }
        for definition in plan.definition.topics where names.contains(definition.name) {
            try read(topic: definition.name, into: &findings)
        }
        var stages: [StageSummary] = []
        for stage in plan.definition.stages {
            var summary = StageSummary(
                name: stage.name, kind: stage.kind, cores: progress[stage.name]?.cores ?? [])
            switch stage.work {
            case .preprocess where isOfKafka(stage):
                count(progress[stage.name], &summary, seconds: seconds)
            case .preprocess(let work): preprocess(work, stage, &summary, &findings)
            case .train: try train(stage, names, &summary, &findings)
            case .score(let work):
                if work.precision != .float32 {
                    summary.precision = work.precision.isAvailable ? work.precision : .float32
                    summary.precisionFallback = work.precision.unavailability
                }
                if isOfKafka(stage) {
                    count(progress[stage.name], &summary, seconds: seconds)
                } else if names.contains(work.to.name) {
                    try score(work, stage, &summary, &findings)
                }
            }
            summary.activeSeconds = findings.timelines[stage.name]?.activeSeconds ?? 0
            summary.activeRows = findings.timelines[stage.name]?.activeRows ?? 0
            if summary.activeSeconds > 0 {
                summary.rowsPerSecond = Double(summary.activeRows) / summary.activeSeconds
                summary.rowsPerSecondPerCore =
                    summary.rowsPerSecond / Double(max(1, summary.cores.count))
            }
            stages.append(summary)
        }
        findings.summary = RunSummary(
            seconds: seconds, topics: findings.topics, stages: stages,
            kernels: kernels, openBLASCore: OpenBLAS.prepare().core)
        return findings
    }

    private func isOfKafka(_ stage: StageDefinition) -> Bool {
        ([stage.input] + stage.outputs).contains {
            plan.definition.topic(named: $0.name)?.kafka != nil
        }
    }

    /// What this run of a stage did that reads or writes Kafka, by its own count: the topics there
    /// are not read back.
    private func count(
        _ progress: StageProgress?, _ summary: inout StageSummary, seconds: Double
    ) {
        guard let progress else { return }
        summary.rowsRead = progress.rowsProcessed
        summary.rowsWritten =
            progress.rowsProcessed - (progress.kind == "preprocess" ? progress.rejectedRows : 0)
        summary.rowsRejected = progress.rejectedRows
        if let version = progress.modelVersion {
            summary.modelVersions[version] = progress.rowsProcessed
        }
        if seconds > 0 { summary.rowsPerSecond = Double(progress.rowsProcessed) / seconds }
        summary.rowsPerSecondPerCore =
            summary.rowsPerSecond / Double(max(1, summary.cores.count))
    }

    /// The kernel sets that the stages of the run compute with, each once.
    private var kernels: String {
        var names: [String] = []
        for stage in plan.stages {
            let name: String? =
                switch stage.work {
                case .preprocess: nil
                case .train(let work): (work.kernels ?? .best).rawValue
                case .score(let work): work.precision.kernelName(work.kernels ?? .best)
                }
            if let name, !names.contains(name) { names.append(name) }
        }
        return (names.isEmpty ? [KernelSet.best.rawValue] : names).joined(separator: ", ")
    }

    // MARK: Topics

    private func read(topic name: String, into findings: inout RunFindings) throws {
        let topic = try data.topic(name)
        var summary = TopicSummary(
            name: name, kind: topic.configuration.kind.rawValue, partitions: topic.partitions,
            columns: topic.configuration.features)
        var timeline = Timeline()
        var progress = Timeline()
        for partition in 0..<topic.partitions {
            var reader = try topic.reader(partition: partition)
            while true {
                guard let batch = try reader.next() else { break }
                summary.rows += batch.rows
                summary.batches += 1
                summary.storedBytes += batch.storedBytes
                summary.decodedBytes += batch.decodedBytes
                summary.columns = max(summary.columns, batch.columns)
                let labels = batch.labels
                for index in labels.indices where !labels[index].isNaN {
                    summary.labelledRows += 1
                }
                for index in 0..<batch.dropCount {
                    summary.drops[DropReason.name(batch.drop(index).reason), default: 0] += 1
                }
                timeline.add(time: batch.appendedAt, rows: batch.rows)
                if let version = batch.origin?.modelVersion, version > 0, batch.rows > 0 {
                    findings.lastVersions[name] = max(
                        findings.lastVersions[name] ?? 0, Int(version))
                }
                if let origin = batch.origin {
                    progress.add(
                        time: batch.appendedAt, rows: Int(origin.end) - Int(origin.begin))
                }
            }
        }
        timeline.sort()
        progress.sort()
        findings.topics.append(summary)
        findings.published[name] = timeline
        findings.progress[name] = progress
    }

    // MARK: Stages

    private func preprocess(
        _ work: PreprocessStage, _ stage: StageDefinition, _ summary: inout StageSummary,
        _ findings: inout RunFindings
    ) {
        let outputs = findings.topics.filter { topic in
            work.to.contains { $0.name == topic.name }
        }
        summary.rowsWritten = outputs.reduce(0) { $0 + $1.rows }
        summary.rowsRejected = outputs.reduce(0) { $0 + $1.rejectedRows }
        // The first output's progress covers every source row.
        if let first = work.to.first, let progress = findings.progress[first.name] {
            summary.rowsRead = progress.rows
            findings.timelines[stage.name] = progress
        }
    }

    private func train(
        _ stage: StageDefinition, _ names: [String], _ summary: inout StageSummary,
        _ findings: inout RunFindings
    ) throws {
        let name = MetricsTopic.name(of: stage.name)
        guard names.contains(name) else { return }
        let topic = try data.topic(name)
        var records: [MetricsRecord] = []
        var timeline = Timeline()
        var training: UInt32 = 0
        var reader = try topic.reader(partition: 0)
        while true {
            guard let batch = try reader.next() else { break }
            // A training that was begun anew leaves the records of the one before behind.
            if let source = batch.origin?.source, source != training {
                training = source
                records = []
                timeline = Timeline()
            }
            for index in 0..<batch.rows {
                let record = try MetricsRecord(json: batch.value(index))
                timeline.add(
                    time: batch.appendedAt,
                    rows: record.sourceRows - (records.last?.sourceRows ?? 0))
                records.append(record)
            }
        }
        summary.training = records.last { $0.epoch == 0 }
        summary.lastMetrics = records.last
        summary.rowsRead = records.last?.sourceRows ?? 0
        summary.rowsRejected = records.last?.rejectedRows ?? 0
        for record in records {
            if let version = record.version { summary.modelVersions[version] = record.rows }
        }
        findings.records[stage.name] = records
        findings.timelines[stage.name] = timeline
    }

    private func score(
        _ work: ScoreStage, _ stage: StageDefinition, _ summary: inout StageSummary,
        _ findings: inout RunFindings
    ) throws {
        let output = try data.topic(work.to.name)
        let source = try data.topic(work.from.name)
        let manifest = try manifest(work, version: findings.lastVersions[output.name])
        let kind: PredictionJudge.Kind =
            switch manifest?.architecture.head {
            case .sigmoid: .binary
            case .softmax: .classes(manifest?.architecture.layers.last?.last ?? 2)
            default: .number
            }
        let width = manifest?.architecture.layers.last?.last ?? 0
        var join = PredictionJoin(judge: PredictionJudge(kind), columns: width)
        for partition in 0..<output.partitions {
            try join.read(output, source, partition)
        }
        summary.rowsRead = join.rows
        summary.rowsWritten = join.rows
        summary.rowsRejected = join.nullRows
        summary.modelVersions = join.versions
        summary.quality = join.judge.quality(classes: manifest?.labels ?? [])
        summary.rowsNotJudged = join.rowsNotJudged
        findings.judges[stage.name] = join.judge
        findings.timelines[stage.name] = findings.progress[work.to.name]
    }

    /// What is known of the newest version that made predictions; nil when it is gone.
    private func manifest(_ work: ScoreStage, version: Int?) throws -> Manifest? {
        guard let version else { return nil }
        let repository = ModelRepository(path: plan.options.models)
        do throws(RepositoryError) {
            return try repository.manifest(work.model.name, version: version)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }
}

/// What reading the topics has found.
struct RunFindings {
    var topics: [TopicSummary] = []
    /// When rows were appended, by topic.
    var published: [String: Timeline] = [:]
    /// The newest model version in a topic of predictions.
    var lastVersions: [String: Int] = [:]
    /// When source rows got their outcome, by output topic.
    var progress: [String: Timeline] = [:]
    /// The same, by stage.
    var timelines: [String: Timeline] = [:]
    /// A trainer's metrics, by stage.
    var records: [String: [MetricsRecord]] = [:]
    /// A scorer's predictions of labelled rows, by stage.
    var judges: [String: PredictionJudge] = [:]
    var summary = RunSummary(seconds: 0, topics: [], stages: [], kernels: "", openBLASCore: "")
}

/// Names of the reasons for which source rows were dropped.
enum DropReason {
    private static let blankLine = "blank-line"
    private static let noRoute = "no-route"

    /// Whether a row with this reason could not be used.
    static func isRejection(_ name: String) -> Bool { name != blankLine && name != noRoute }

    static func name(_ code: UInt32) -> String {
        if let reason = RejectReason(rawValue: code) { return reason.name }
        if let skip = FileSource.Skip(rawValue: code) {
            return skip == .blank ? blankLine : "line-too-long"
        }
        if let reason = BadRecordReason(rawValue: code) { return reason.name }
        return code == RowSorter.unroutedReason ? noRoute : "reason-\(code)"
    }
}
