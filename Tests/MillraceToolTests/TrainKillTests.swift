import FoundationEssentials
import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// Trainings that are killed, again and again, and go on on other numbers of cores: in the end
/// nothing shows it.
@Suite(.serialized) struct TrainKillTests {
    private static let width = 8
    /// Rows of each of two partitions: 128 of each are a step, so both parts are whole steps.
    private static let firstRows = 128 * 30
    private static let allRows = 128 * 60

    /// `MILLRACE_TRAIN_KILLS` sets how many processes are killed at work.
    private static let kills = Environment.number("MILLRACE_TRAIN_KILLS", or: 50)

    private static let cores = CPU.allowed().sorted().prefix(2).map { "\($0)" }

    private static let ways = [
        ["--mlp", "24,8", "--classes", "2", "--hold-out", "16"],
        ["--linear", "logistic", "--sequential", "--optimizer", "sgd"],
        ["--linear", "logistic", "--optimizer", "momentum"],
    ]

    private static func command(_ data: String, _ way: [String], cores count: Int) -> [String] {
        [
            "train", "rows", "--model", "m", "--data", data, "--json", "--publish-every", "3000",
            "--cores", cores.prefix(count).joined(separator: ","),
        ] + way
    }

    private static func append(_ rows: Range<Int>, to data: String) throws {
        try LabelledRows.append(rows, width: width, to: data)
    }

    /// What a training leaves behind.
    private struct Result: Equatable {
        var weights: [[UInt8]]
        var metrics: [MetricsRecord]
        /// Weights, moments, statistics and metrics of the last checkpoint.
        var state: [UInt8]
    }

    private static func result(_ data: String) throws -> Result {
        let models = try ModelRepository(path: data + "/models").versions(of: "m").sorted()
        let weights = try models.map {
            try Files.read("\(data)/models/m/\($0)/model.safetensors", maxBytes: 1 << 24)
        }
        var metrics: [MetricsRecord] = []
        var reader = try DataDirectory(data, create: false).topic("train-m.metrics")
            .reader(partition: 0)
        while true {
            guard let batch = try reader.next() else { break }
            for row in 0..<batch.rows {
                let value = batch.value(row)
                var record = try JSONDecoder().decode(
                    MetricsRecord.self, from: Data(value.indices.map { value[$0] }))
                // A number that was taken before a kill is not used again.
                record.version = record.version.map { _ in 0 }
                // What the gate says names the current version.
                record.gate?.reason = nil
                metrics.append(record)
            }
        }
        let checkpoint = try #require(
            try TrainingCheckpoint.load(data + "/groups/train-m/checkpoint"))
        return Result(weights: weights, metrics: metrics, state: checkpoint.trainer)
    }

    @Test(arguments: ways)
    func killedTrainingsEndLikeUndisturbedOnes(_ way: [String]) throws {
        let whole = try TemporaryDirectory("millrace-train")
        try Self.append(0..<Self.allRows, to: whole.path)
        let begun = Clock.monotonicNanoseconds()
        let outcome = try ToolProcess.run(Self.command(whole.path, way, cores: 1))
        let seconds = Double(Clock.monotonicNanoseconds() - begun) / 1e9
        try #require(outcome.code == 0, "\(outcome.errors)")
        let expected = try Self.result(whole.path)
        #expect(expected.weights.count >= 5)
        let first = UInt64.random(in: 0...UInt64.max)
        print("train kills \(way): first seed \(first), undisturbed run \(seconds) s")
        let wanted = (Self.kills + Self.ways.count - 1) / Self.ways.count
        var kills = 0
        var sequence: UInt64 = 0
        while kills < wanted, sequence < UInt64(8 * wanted) {
            let seed = first &+ sequence
            sequence += 1
            kills += try disturb(way, seed: seed, seconds: seconds, expected)
        }
        print("train kills: \(sequence) sequences, \(kills) processes killed at work")
        #expect(kills >= wanted)
    }

    /// One training with some kills; half of them begin with only half of the rows there.
    private func disturb(
        _ way: [String], seed: UInt64, seconds: Double, _ expected: Result
    ) throws -> Int {
        var random = SplitMix64(seed: seed)
        let directory = try TemporaryDirectory("millrace-train-kill")
        let grows = random.next() % 2 == 0
        try Self.append(0..<(grows ? Self.firstRows : Self.allRows), to: directory.path)
        var kills = 0
        for _ in 0..<2 + random.next() % 3 {
            let cores = 1 + Int(random.next() % UInt64(Self.cores.count))
            let process = try ToolProcess(Self.command(directory.path, way, cores: cores))
            PinnedThread.sleep(
                nanoseconds: Int64(random.unit() * 1.2 * seconds * (grows ? 0.6 : 1) * 1e9))
            process.send(SIGKILL)
            let outcome = try process.outcome()
            if outcome.signal == SIGKILL {
                kills += 1
            } else {
                #expect(outcome.code == 0, "\(outcome.errors) seed \(seed)")
            }
        }
        if grows { try Self.append(Self.firstRows..<Self.allRows, to: directory.path) }
        let outcome = try ToolProcess.run(
            Self.command(directory.path, way, cores: Self.cores.count))
        try #require(outcome.code == 0, "\(outcome.errors) seed \(seed)")
        let result = try Self.result(directory.path)
        let isSame = result.state == expected.state
        #expect(isSame, "\(way) seed \(seed)")
        if !grows {
            let areSame = (result.weights == expected.weights, result.metrics == expected.metrics)
            #expect(areSame.0 && areSame.1, "\(way) seed \(seed)")
            // What has no checkpoint yet is learnt anew, and nothing is published twice.
            #expect(Set(result.weights).count == result.weights.count, "seed \(seed)")
        }
        return kills
    }

    @Test func badArgumentsAndTopicsAreErrors() throws {
        let directory = try TemporaryDirectory("millrace-train-bad")
        try Self.append(0..<100, to: directory.path)
        func run(_ more: [String]) throws -> ToolProcess.Outcome {
            try ToolProcess.run(["train", "--data", directory.path] + more)
        }
        for (arguments, said) in [
            ([], "--linear"), (["--linear", "softmax"], "--classes"), (["--mlp", "8,x"], "8,x"),
        ] {
            let outcome = try run(["rows", "--model", "m"] + arguments)
            #expect(outcome.code == 64 && outcome.errors.contains(said), "\(outcome.errors)")
        }
        try run(["nothing", "--model", "m", "--linear", "logistic"])
            .expectError(66, "nothing")
        try run(["rows", "--model", "m", "--linear", "logistic", "--batch", "1"])
            .expectError(64, "at least 2 rows")
        try run(["rows", "--model", "m", "--mlp", "8", "--classes", "2", "--optimizer", "ftrl"])
            .expectError(64, "FTRL")
    }

    /// A report with the learning curves, and a summary.
    @Test func leavesAReport() throws {
        let directory = try TemporaryDirectory("millrace-train-report")
        try Self.append(0..<4000, to: directory.path)
        let report = directory.file("report.html")
        let outcome = try ToolProcess.run([
            "train", "rows", "--model", "m", "--data", directory.path, "--linear", "logistic",
            "--report", report,
        ])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("8,000 labelled rows"), "\(outcome.output)")
        let page = String(decoding: try Files.read(report, maxBytes: 1 << 24), as: UTF8.self)
        #expect(page.contains("Loss over the stream") && page.contains("AUC over the stream"))
    }
}
