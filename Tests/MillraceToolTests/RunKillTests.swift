import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// Whole runs that are killed, again and again: in the end nothing shows it.
@Suite(.serialized) struct RunKillTests {
    /// An undisturbed run to compare with.
    private struct Reference: Sendable {
        let source: SourceText
        let seconds: Double
        let summary: RunSummary
        let content: OutcomeOracle.Content
    }

    private static let pipeline = SharedData.root + "/models/flights.yaml"

    /// `MILLRACE_KILLS` sets the number of kill sequences.
    private static var sequences: Int {
        #if DEBUG
            let usual = 3
        #else
            let usual = 12
        #endif
        return Environment.number("MILLRACE_KILLS", or: usual)
    }

    private static func command(_ data: String) -> [String] {
        ["run", pipeline, "--data", data, "--json"]
    }

    /// The run to compare with, made once.
    private static let undisturbed = Result { try makeReference() }

    private static func makeReference() throws -> Reference {
        let source = try SourceText(path: SharedData.flights)
        let directory = try TemporaryDirectory("millrace-reference")
        let begun = Clock.monotonicNanoseconds()
        let outcome = try ToolProcess.run(command(directory.path))
        let seconds = Double(Clock.monotonicNanoseconds() - begun) / 1e9
        try #require(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.errors == "")
        let oracle = try OutcomeOracle(data: directory.path, source: source)
        #expect(oracle.problems == [])
        #expect(oracle.content.weights.count == 6)
        return Reference(
            source: source, seconds: seconds, summary: try comparable(outcome.output),
            content: oracle.content)
    }

    /// What a summary says of rows, drops and metrics: without times, batches and numbers of
    /// versions, which depend on when the process was killed.
    private static func comparable(_ json: String) throws -> RunSummary {
        var summary = try RunSummary(json: json)
        summary.seconds = 0
        for index in summary.topics.indices {
            summary.topics[index].batches = 0
            summary.topics[index].storedBytes = 0
            summary.topics[index].decodedBytes = 0
        }
        for index in summary.stages.indices { summary.stages[index].forgetTimesAndVersions() }
        return summary
    }

    private static func check(
        _ outcome: ToolProcess.Outcome, _ data: String, _ reference: Reference,
        _ comment: Comment
    ) throws {
        try #require(outcome.code == 0, "\(outcome.errors) \(comment)")
        let oracle = try OutcomeOracle(data: data, source: reference.source)
        #expect(oracle.problems == [], comment)
        #expect(oracle.content.counts == reference.content.counts, comment)
        #expect(oracle.content.rows == reference.content.rows, comment)
        #expect(oracle.content.metrics == reference.content.metrics, comment)
        #expect(oracle.content.weights == reference.content.weights, comment)
        let summary = try comparable(outcome.output)
        #expect(summary == reference.summary, comment)
    }

    @Test func killedRunsEndLikeUndisturbedOnes() throws {
        let reference = try Self.undisturbed.get()
        let first = UInt64.random(in: 0...UInt64.max)
        print("kills: first seed \(first), undisturbed run \(reference.seconds) s")
        var kills = 0
        for sequence in 0..<Self.sequences {
            let seed = first &+ UInt64(sequence)
            var random = SplitMix64(seed: seed)
            let directory = try TemporaryDirectory("millrace-kill")
            var delays: [Double] = []
            for _ in 0..<2 + random.next() % 3 {
                // Early kills more often: what follows them is then longer.
                let delay = random.unit() * random.unit() * 1.3 * reference.seconds
                let process = try ToolProcess(Self.command(directory.path))
                PinnedThread.sleep(nanoseconds: Int64(delay * 1e9))
                process.send(SIGKILL)
                let outcome = try process.outcome()
                delays.append(delay)
                if outcome.signal == SIGKILL {
                    kills += 1
                } else {
                    #expect(outcome.code == 0, "\(outcome.errors) seed \(seed)")
                }
            }
            let outcome = try ToolProcess.run(Self.command(directory.path))
            try Self.check(
                outcome, directory.path, reference, "seed \(seed), kills at \(delays)")
        }
        print("kills: \(Self.sequences) sequences, \(kills) processes killed at work")
        #expect(kills > 0)
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func interruptedRunsGoOn(_ signal: Int32) throws {
        let reference = try Self.undisturbed.get()
        let directory = try TemporaryDirectory("millrace-interrupt")
        let process = try ToolProcess(Self.command(directory.path))
        // The group is there: the stages are at work, and signals are watched.
        while process.isRunning, !Files.exists(directory.file("groups/prepare/page")) {
            PinnedThread.sleep(nanoseconds: 1_000_000)
        }
        process.send(signal)
        let outcome = try process.outcome()
        #expect(outcome.code == 130)
        #expect(outcome.output == "")
        #expect(outcome.errorLines.count <= 2)
        #expect(outcome.errors.contains("Run the same command again to go on."))
        try Self.check(
            ToolProcess.run(Self.command(directory.path)), directory.path, reference,
            "after signal \(signal)")
    }
}
