internal import MillraceServing
internal import MillraceSystem
internal import Synchronization

/// What a running stage lets others see, without locks on its hot path.
final class StageStatus: Sendable {
    let name: String
    let kind: String
    /// Rows that have their outcome in the partitions that are owned, whoever gave it to them.
    private let rows = Atomic<Int>(0)
    /// Those that this stage gave it to.
    private let processed = Atomic<Int>(0)
    private let rejected = Atomic<Int>(0)
    private let version = Atomic<Int>(0)
    /// When that version was published, in seconds since 1970; 0 where it is not known.
    private let created = Atomic<Int>(0)
    /// Rows that are behind, where slots say so.
    private let lag = Atomic<Int>(0)
    private let hasLag = Atomic<Bool>(false)
    private let finished = Atomic<Bool>(false)
    private let batches = DurationRecorder()
    /// How long batches took, finely.
    let latencies = LatencyRecorder()
    private let detail = Lock(Detail())

    struct Detail {
        var state = StageProgress.State.waiting
        var cores: [Int] = []
        var begun: Int64 = 0
        var loss: Double?
        var auc: Double?
        var accuracy: Double?
        /// Where a score stage has its versions from, while it runs.
        var models: ModelFeed?
        /// The Kafka topic that it reads, and how to find out which partitions are its own.
        var kafka: (topic: String, owned: @Sendable () -> [Int])?
        /// Versions that it refused, once it has ended.
        var refusedVersions = 0
        /// Rows and time when the rate was last asked for.
        var sample: (rows: Int, time: Int64, rate: Double) = (0, 0, 0)
    }

    init(name: String, kind: String) {
        self.name = name
        self.kind = kind
    }

    /// Rows have got their outcome.
    func add(rows count: Int) {
        rows.wrappingAdd(count, ordering: .relaxed)
        processed.wrappingAdd(count, ordering: .relaxed)
    }
    /// Rows that had their outcome have come with a partition, or gone with it.
    func take(over count: Int) { rows.wrappingAdd(count, ordering: .relaxed) }
    /// Rows that had got their outcome are to get it once more.
    func takeBack(rows count: Int) { processed.wrappingAdd(-count, ordering: .relaxed) }
    func add(rejected count: Int) { rejected.wrappingAdd(count, ordering: .relaxed) }
    func add(batchNanoseconds duration: Int64) {
        batches.add(nanoseconds: duration)
        latencies.add(nanoseconds: duration)
    }
    /// A slot is so many rows further behind, or less.
    func change(lag difference: Int) {
        lag.wrappingAdd(difference, ordering: .relaxed)
        hasLag.store(true, ordering: .relaxed)
    }
    func use(version number: Int, created seconds: Int?) {
        created.store(seconds ?? 0, ordering: .relaxed)
        version.store(number, ordering: .relaxed)
    }
    /// The model version in use; nil for none.
    var versionInUse: Int? {
        let number = version.load(ordering: .relaxed)
        return number > 0 ? number : nil
    }
    private var versionCreated: Int? {
        let seconds = created.load(ordering: .relaxed)
        return seconds > 0 ? seconds : nil
    }
    var rowsDone: Int { rows.load(ordering: .relaxed) }
    var rowsRejected: Int { rejected.load(ordering: .relaxed) }

    /// Whether the stage has reached its end: everything that it wrote before is then visible.
    var hasFinished: Bool { finished.load(ordering: .acquiring) }

    func begin(cores: [Int]) {
        detail.withLock {
            $0.state = .running
            $0.cores = cores
            $0.begun = Clock.monotonicNanoseconds()
        }
    }

    func end(_ state: StageProgress.State) {
        detail.withLock {
            $0.state = state
            $0.kafka = nil
        }
        if state == .done { finished.store(true, ordering: .releasing) }
    }

    func judge(loss: Double?, auc: Double?, accuracy: Double?) {
        detail.withLock {
            $0.loss = loss
            $0.auc = auc
            $0.accuracy = accuracy
        }
    }

    /// Counts what a feed refuses from now on.
    func watch(_ models: ModelFeed) { detail.withLock { $0.models = models } }

    /// Lets go of the feed, which holds versions.
    func endWatch() {
        detail.withLock { detail in
            detail.refusedVersions = detail.models?.refusals.count ?? 0
            detail.models = nil
        }
    }

    /// Tells others which partitions of a Kafka topic the process owns from now on.
    func join(topic: String, owned: @escaping @Sendable () -> [Int]) {
        detail.withLock { $0.kafka = (topic, owned) }
    }

    /// The stage's part in a group of Kafka; nil where it is in none.
    var kafkaShare: KafkaShare? {
        guard
            let (kafka, cores) = detail.withLock({ detail in
                detail.kafka.map { ($0, detail.cores) }
            })
        else { return nil }
        return KafkaShare(
            topic: kafka.topic, partitions: kafka.owned(), cores: cores, lag: knownLag ?? 0,
            rows: processed.load(ordering: .relaxed))
    }

    private var knownLag: Int? {
        hasLag.load(ordering: .relaxed) ? lag.load(ordering: .relaxed) : nil
    }

    func snapshot(total: Int?) -> StageProgress {
        let done = rowsDone
        let now = Clock.monotonicNanoseconds()
        let durations = batches.snapshot
        let share = kafkaShare
        return detail.withLock { detail in
            let elapsed = Double(now - max(detail.sample.time, detail.begun)) / 1e9
            if detail.begun > 0, elapsed > 0.2 {
                detail.sample = (done, now, Double(done - detail.sample.rows) / elapsed)
            }
            return StageProgress(
                name: name, kind: kind, state: detail.state, rowsDone: done, rowsTotal: total,
                rowsPerSecond: detail.sample.rate,
                lagRows: total.map { max(0, $0 - done) } ?? knownLag,
                loss: detail.loss, auc: detail.auc, accuracy: detail.accuracy,
                modelVersion: versionInUse, modelCreated: versionCreated, cores: detail.cores,
                rejectedRows: rowsRejected,
                refusedVersions: detail.models?.refusals.count ?? detail.refusedVersions,
                rowsProcessed: processed.load(ordering: .relaxed),
                batches: kind == "preprocess" || kind == "score" ? durations : nil,
                kafka: share)
        }
    }
}

/// Tells every thread of a run to finish its batch and end.
final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}
