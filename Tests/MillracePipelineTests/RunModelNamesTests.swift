import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// Scorers that follow a name while versions are published, and versions that trainers keep.
@Suite struct RunModelNamesTests {
    private let models: NumberedModels
    private var directory: TemporaryDirectory { models.directory }
    private var repository: ModelRepository { models.repository }

    init() throws { models = try NumberedModels() }

    @Test func scorersFollowTheNameThatTheyAreGiven() throws {
        try models.publish()
        try models.publish()
        try repository.promote("m", version: 1)
        let names = ["newest": "m", "stable": "m@stable", "pinned": "m@2"]
        let run = try PipelineRun(
            PipelineDefinition(
                topics: [try .existing("rows", data: directory.path)]
                    + names.keys.map {
                        TopicDefinition(name: "by-\($0)", content: .predictions)
                    },
                stages: names.map {
                    StageDefinition(
                        name: $0.key,
                        work: .score(
                            ScoreStage(
                                from: "rows", to: Reference("by-\($0.key)"),
                                model: ModelReference(stringLiteral: $0.value))))
                }),
            options: RunOptions(data: directory.path, follow: true), logger: .silent)
        let outcome = Lock<Result<RunResult, any Error>?>(nil)
        let thread = try PinnedThread(name: "run", core: nil) {
            let result = Result { try run.run() }
            outcome.withLock { $0 = result }
        }
        /// Waits until the stages use these versions and have scored a row with them.
        func expect(newest: Int, stable: Int, rows: Int) throws {
            let wanted = ["newest": newest, "stable": stable, "pinned": 2]
            func wait(_ holds: (StageProgress) -> Bool) -> Bool {
                for _ in 0..<3000 {
                    if run.progress().allSatisfy(holds) { return true }
                    PinnedThread.sleep(nanoseconds: 10_000_000)
                }
                return false
            }
            #expect(wait { $0.modelVersion == wanted[$0.name] }, "\(run.progress())")
            try models.append()
            #expect(wait { $0.rowsDone == rows }, "\(run.progress())")
        }
        try expect(newest: 2, stable: 1, rows: 1)
        try models.publish()
        try expect(newest: 3, stable: 1, rows: 2)
        try repository.rollback("m")
        try models.publish()
        try models.publish()
        try expect(newest: 2, stable: 1, rows: 3)
        // What running scorers use stays though nothing names it any more.
        try repository.promote("m", version: 5)
        try expect(newest: 5, stable: 5, rows: 4)
        // Those before are let go a moment after the scorers have taken the next.
        var removed: [Int] = []
        var kept: [Pruning.Kept] = []
        try Patience.wait {
            let pruning = try repository.prune("m", keeping: 1)
            removed = (removed + pruning.removed).sorted()
            kept = pruning.kept
            return removed.count >= 3
        }
        #expect(removed == [1, 3, 4])
        #expect(kept == [Pruning.Kept(version: 2, aliases: [])])
        try repository.rollback("m", to: 2)
        try models.publish()
        try expect(newest: 2, stable: 5, rows: 5)
        try repository.promote("m", version: 5)
        try expect(newest: 5, stable: 5, rows: 6)
        try models.publish()
        try expect(newest: 7, stable: 5, rows: 7)
        run.stop()
        thread.join()
        _ = try #require(outcome.withLock { $0 }).get()
        #expect(try models.scoredBy("by-newest") == [2, 3, 2, 5, 2, 5, 7])
        #expect(try models.scoredBy("by-stable") == [1, 1, 1, 5, 5, 5, 5])
        #expect(try models.scoredBy("by-pinned") == [2, 2, 2, 2, 2, 2, 2])
        // The scorers have ended, and their holds with them.
        #expect(try repository.prune("m", keeping: 1).removed == [2, 6])
    }

    @Test func aTrainerKeepsSoManyVersions() throws {
        try models.append(1000)
        var stage = TrainStage(
            from: "rows", model: "t", learner: LearnerDefinition(objective: .logistic),
            batchRows: 50, publishEveryRows: 100)
        stage.keepVersions = 3
        let definition = PipelineDefinition(
            topics: [try .existing("rows", data: directory.path)],
            stages: [StageDefinition(name: "learn", work: .train(stage))])
        let summary = try runToEnd(definition, data: directory).summary
        let newest = try #require(summary.stage("train")?.training?.version)
        #expect(newest >= 10)
        #expect(try repository.versions(of: "t") == Array(newest - 2...newest))
    }

    @Test func whatCannotBeReadGivesWayToTheVersionBelow() throws {
        try models.publish()
        try models.publish()
        try models.append(3)
        try Files.writeDurably(directory.file("models/m/2/manifest.json"), Array("{".utf8))
        let definition = PipelineDefinition(
            topics: [
                try .existing("rows", data: directory.path),
                TopicDefinition(name: "out", content: .predictions),
            ],
            stages: [
                StageDefinition(
                    name: "score", work: .score(ScoreStage(from: "rows", to: "out", model: "m")))
            ])
        let summary = try runToEnd(definition, data: directory).summary
        #expect(summary.stage("score")?.modelVersions == [1: 3])
    }

    @Test func anAliasThatIsNotThereIsSaid() throws {
        try models.publish()
        let definition = PipelineDefinition(
            topics: [
                try .existing("rows", data: directory.path),
                TopicDefinition(name: "out", content: .predictions),
            ],
            stages: [
                StageDefinition(
                    name: "score",
                    work: .score(ScoreStage(from: "rows", to: "out", model: "m@stable")))
            ])
        let error = #expect(throws: PipelineError.self) {
            try runToEnd(definition, data: directory)
        }
        #expect(error?.code == .noInput)
        #expect(error?.message.contains("model 'm' has no alias 'stable'") == true)
    }
}
