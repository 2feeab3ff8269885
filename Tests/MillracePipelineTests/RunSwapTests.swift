import Millrace
import MillraceSystem
import MillraceTestSupport
import Synchronization
import Testing

@testable import MillracePipeline

/// A score stage that is never out of rows while its model changes.
@Suite struct RunSwapTests {
    /// The long run asks for 1,000.
    private static let swaps = Environment.number("MILLRACE_SWAPS", or: 100)

    @Test func everyBatchIsOfExactlyOneVersionWhileVersionsChange() throws {
        let models = try NumberedModels()
        try models.publish()
        let run = try PipelineRun(
            PipelineDefinition(
                topics: [
                    try .existing("rows", data: models.directory.path),
                    TopicDefinition(name: "out", content: .predictions),
                ],
                stages: [
                    StageDefinition(
                        name: "score",
                        work: .score(ScoreStage(from: "rows", to: "out", model: "m")))
                ]),
            options: RunOptions(data: models.directory.path, follow: true), logger: .silent)
        let outcome = Lock<Result<RunResult, any Error>?>(nil)
        let isOver = Atomic<Bool>(false)
        let failure = Lock<(any Error)?>(nil)
        let threads = [
            try PinnedThread(name: "run", core: nil) {
                let result = Result { try run.run() }
                outcome.withLock { $0 = result }
            },
            try PinnedThread(name: "rows", core: nil) {
                do { try Self.append(models, to: run, until: isOver) } catch {
                    failure.withLock { $0 = error }
                }
            },
        ]
        try #require(wait(run) { $0.rowsDone > 0 })
        var version = 1
        for _ in 0..<Self.swaps {
            version = try models.publish()
            try #require(wait(run) { $0.modelVersion == version }, "version \(version)")
            let rows = run.progress()[0].rowsDone
            try #require(wait(run) { $0.rowsDone > rows })
        }
        isOver.store(true, ordering: .relaxed)
        threads[1].join()
        run.stop()
        threads[0].join()
        _ = try #require(outcome.withLock { $0 }).get()
        let used = try models.scoredBy("out")
        #expect(used == used.sorted())
        #expect(Set(used) == Set(1...version))
        #expect(run.progress()[0].refusedVersions == 0)
        #expect(failure.withLock { $0 == nil })
        // Nothing holds what was swapped out.
        #expect(try models.repository.prune("m", keeping: 1).removed == Array(1..<version))
    }

    /// Appends rows, some batches ahead of the stage.
    private static func append(
        _ models: NumberedModels, to run: PipelineRun, until isOver: borrowing Atomic<Bool>
    ) throws {
        var writer = try models.topic.writer(partition: 0)
        var rows = 0
        while !isOver.load(ordering: .relaxed) {
            if rows - run.progress()[0].rowsDone > 20_000 {
                PinnedThread.sleep(nanoseconds: 1_000_000)
                continue
            }
            try models.append(100, &writer)
            rows += 100
        }
        try writer.close()
    }

    private func wait(_ run: PipelineRun, _ holds: (StageProgress) -> Bool) -> Bool {
        for _ in 0..<30_000 {
            if run.progress().allSatisfy(holds) { return true }
            PinnedThread.sleep(nanoseconds: 1_000_000)
        }
        return false
    }
}
