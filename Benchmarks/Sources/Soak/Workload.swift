internal import BenchmarkSupport
internal import CBareMetal
internal import Foundation
internal import LogFigures
internal import Logging
internal import Millrace
internal import Synchronization

/// A pipeline that is fed at a steady rate: rows to a topic, a trainer and a scorer that follow it, and
/// readers of the predictions.
///
/// The model is an MLP 64-128-64-10 that learns the shipped digits by Adam. Everything is kept for some
/// 20 s, so that retention has work all the time.
final class Workload: Sendable {
    static let partitions = 2
    static let batch = 256
    /// Batches a second of each partition.
    private static let pace = 40.0
    static let rowsPerSecond = Double(partitions * batch) * pace
    /// Seconds between two versions of the model.
    private static let swapSeconds = 5.0

    static var text: String {
        "\(Int(rowsPerSecond)) rows a second of the shipped digits in \(partitions) partitions, "
            + "batches of \(batch) rows, MLP 64-128-64-10 trained by Adam, a version each "
            + "\(Int(swapSeconds)) s, segments of \(segmentBytes >> 20) MiB of which "
            + "\(retainedBytes >> 20) MiB a partition are kept"
    }

    private static let segmentBytes = 4 << 20
    private static let retainedBytes = 16 << 20

    private let directory: WorkDirectory
    private let rows: Topic
    private let predictions: Topic
    private let run: PipelineRun
    private let begun = bare_clock()
    private let isStopped = Atomic<Bool>(false)
    private let running = Atomic<Int>(0)
    private let failure = Mutex<(any Error)?>(nil)
    let traffic = Traffic(partitions: Workload.partitions)

    init() throws {
        directory = try WorkDirectory()
        let data = try DataDirectory(directory.path, create: true)
        let retention = RetentionPolicy(bytes: Self.retainedBytes, heldBytes: 512 << 20)
        rows = try data.topic(
            "rows",
            creating: TopicConfiguration(
                partitions: Self.partitions, kind: .features, features: Digits.columns,
                label: true, filter: .split, segmentBytes: Self.segmentBytes,
                retention: retention))
        predictions = try data.topic(
            "predictions",
            creating: TopicConfiguration(
                partitions: Self.partitions, kind: .predictions, segmentBytes: Self.segmentBytes,
                retention: retention))
        var learning = TrainStage(
            from: "rows", model: "digits",
            learner: LearnerDefinition(hidden: [128, 64], objective: .softmax(classes: 10)),
            optimizer: .adam(rate: 0.001),
            publishEveryRows: Int(Self.rowsPerSecond * Self.swapSeconds))
        learning.keepVersions = 4
        let definition = PipelineDefinition(
            topics: [
                try .existing("rows", data: directory.path),
                try .existing("predictions", data: directory.path),
            ],
            stages: [
                StageDefinition(name: "learn", work: .train(learning)),
                StageDefinition(
                    name: "predict",
                    work: .score(
                        ScoreStage(
                            from: "rows", to: "predictions", model: ModelReference("digits")))),
            ])
        try definition.validate()
        run = try PipelineRun(
            definition, options: RunOptions(data: directory.path, follow: true),
            logger: Logger(label: "soak"))
    }

    /// Seconds since it was made.
    var seconds: Double { Double(bare_clock() - begun) / 1e9 }
    /// What stages say of themselves.
    var progress: [StageProgress] { run.progress() }

    /// Bytes of the batches in the two topics.
    func logBytes() throws -> Int {
        try [rows, predictions].reduce(0) { sum, topic in
            try (0..<Self.partitions).reduce(sum) {
                $0 + Int(try topic.status(partition: $1).bytes)
            }
        }
    }

    /// Bytes of all files: topics, checkpoints, models, what stages say of themselves.
    ///
    /// Files come and go meanwhile: one that has gone counts nothing.
    func fileBytes() -> Int {
        let paths = FileManager.default.enumerator(atPath: directory.path)
        var sum = 0
        while let path = paths?.nextObject() as? String {
            var status = stat()
            // SAFETY: both live during the call. Blocks are of 512 bytes, whatever the file system's.
            guard unsafe lstat(directory.path + "/" + path, &status) == 0 else { continue }
            sum += Int(status.st_blocks) * 512
        }
        return sum
    }

    func start() throws {
        // Read before its segments can be removed.
        for partition in 0..<Self.partitions {
            thread("watch \(partition)") { [self] in try watch(partition) }
        }
        thread("pipeline") { [self] in try run.runStages() }
        let digits = try Digits(rows: Self.batch * 7)
        for partition in 0..<Self.partitions {
            thread("produce \(partition)") { [self] in try produce(digits, partition) }
        }
    }

    private func thread(_ name: String, _ body: @escaping @Sendable () throws -> Void) {
        running.add(1, ordering: .relaxed)
        let thread = Thread { [self] in
            do { try body() } catch {
                failure.withLock { if $0 == nil { $0 = error } }
                isStopped.store(true, ordering: .relaxed)
            }
            running.subtract(1, ordering: .releasing)
        }
        thread.name = name
        thread.start()
    }

    /// Lets it work for some seconds; throws when a part of it has failed.
    func work(for seconds: Double) throws {
        let end = bare_clock() + Int64(seconds * 1e9)
        while bare_clock() < end, !isStopped.load(ordering: .relaxed) { usleep(20_000) }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// Lets what was produced be predicted, and ends; returns how many rows there were.
    func end() throws -> UInt64 {
        isStopped.store(true, ordering: .relaxed)
        for _ in 0..<3000 where failure.withLock({ $0 }) == nil && traffic.lag > 0 {
            usleep(20_000)
        }
        run.stop()
        traffic.close()
        while running.load(ordering: .acquiring) > 0 { usleep(20_000) }
        if let error = failure.withLock({ $0 }) { throw error }
        guard traffic.lag == 0 else {
            throw Peer.Failure("\(traffic.lag) rows have no prediction after a minute")
        }
        return traffic.rows
    }

    /// Appends a batch at each beat.
    ///
    /// Who comes late goes on at once, and does not catch up by more than a second.
    private func produce(_ digits: Digits, _ partition: Int) throws {
        var writer = try rows.writer(partition: partition)
        var builder = BatchBuilder(columns: Digits.columns)
        let beat = Int64(1e9 / Self.pace)
        var next = bare_clock()
        var turn = partition
        while !isStopped.load(ordering: .relaxed) {
            let first = turn % 7 * Self.batch
            var target = builder.addRows(Self.batch)
            for index in target.indices {
                target[index] = digits.features[first * Digits.columns + index]
            }
            for row in first..<first + Self.batch { builder.addLabel(digits.labels[row]) }
            // Before it can be seen.
            traffic.begin(partition, through: writer.nextOffset + UInt64(Self.batch), bare_clock())
            try writer.append(&builder)
            turn += 1
            next = max(next + beat, bare_clock() - 1_000_000_000)
            let pause = next - bare_clock()
            if pause > 0 { usleep(UInt32(pause / 1000)) }
        }
        try writer.close()
    }

    /// Reads predictions as they come, and holds them against the rows: none left out, none twice.
    private func watch(_ partition: Int) throws {
        var reader = try predictions.reader(partition: partition, holding: true)
        var expected: UInt64 = 0
        while !traffic.isClosed {
            guard try reader.wait(.sleep, nanoseconds: 100_000_000) else { continue }
            while let batch = try reader.next() {
                guard let origin = batch.origin, origin.begin == expected,
                    origin.end - origin.begin == UInt64(batch.rows)
                else {
                    throw Peer.Failure(
                        "partition \(partition): row \(expected) has not one prediction")
                }
                expected = origin.end
                traffic.end(partition, through: expected, bare_clock(), Int(origin.modelVersion))
            }
        }
    }
}
