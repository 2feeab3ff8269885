import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// Scorers that follow a name while versions are published, and versions that trainers keep.
@Suite struct RunModelNamesTests {
    private let directory: TemporaryDirectory
    private let topic: Topic
    private let repository: ModelRepository

    init() throws {
        directory = try TemporaryDirectory("millrace-names")
        topic = try DataDirectory(directory.path, create: true).topic(
            "rows",
            creating: TopicConfiguration(kind: .features, features: 2, label: true))
        repository = ModelRepository(path: directory.file("models"))
    }

    /// Publishes a model that predicts its own version.
    private func publish() throws {
        let next = Float(try repository.versions(of: "m").last ?? 0) + 1
        let layer = DenseLayer(inputs: 2, outputs: 1, weights: [0, 0], bias: [next])
        let model = try Model(input: InputStage(identity: 2), layers: [layer], head: .identity)
        #expect(
            try repository.publish(model, as: "m", Publication(key: "")) == Int(next))
    }

    private func append(_ count: Int = 1) throws {
        var builder = BatchBuilder(columns: 2)
        for number in 0..<count {
            do {
                var row = builder.nextRow()
                for column in 0..<2 { row[column] = Float(number % 7) }
            }
            builder.commitRow(label: Float(number % 2))
        }
        var writer = try topic.writer(partition: 0)
        try writer.append(&builder)
        try writer.close()
    }

    /// The versions that scored, batch by batch; each predicts itself.
    private func scoredBy(_ output: String) throws -> [Int] {
        var reader = try DataDirectory(directory.path, create: false).topic(output)
            .reader(partition: 0)
        var versions: [Int] = []
        while let batch = try reader.next() {
            let origin = batch.origin
            let version = Int(try #require(origin).modelVersion)
            var outputs = [Float](repeating: 0, count: batch.rows)
            var target = outputs.mutableSpan
            batch.widen(rows: 0..<batch.rows, into: &target)
            #expect(outputs.allSatisfy { $0 == Float(version) })
            versions.append(version)
        }
        return versions
    }

    @Test func scorersFollowTheNameThatTheyAreGiven() throws {
        try publish()
        try publish()
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
            try append()
            #expect(wait { $0.rowsDone == rows }, "\(run.progress())")
        }
        try expect(newest: 2, stable: 1, rows: 1)
        try publish()
        try expect(newest: 3, stable: 1, rows: 2)
        try repository.rollback("m")
        try publish()
        try publish()
        try expect(newest: 2, stable: 1, rows: 3)
        // What running scorers use stays though nothing names it any more.
        try repository.promote("m", version: 5)
        try expect(newest: 5, stable: 5, rows: 4)
        let pruning = try repository.prune("m", keeping: 1)
        #expect(pruning.removed == [1, 3, 4])
        #expect(pruning.kept == [Pruning.Kept(version: 2, aliases: [])])
        try repository.rollback("m", to: 2)
        try publish()
        try expect(newest: 2, stable: 5, rows: 5)
        try repository.promote("m", version: 5)
        try expect(newest: 5, stable: 5, rows: 6)
        try publish()
        try expect(newest: 7, stable: 5, rows: 7)
        run.stop()
        thread.join()
        _ = try #require(outcome.withLock { $0 }).get()
        #expect(try scoredBy("by-newest") == [2, 3, 2, 5, 2, 5, 7])
        #expect(try scoredBy("by-stable") == [1, 1, 1, 5, 5, 5, 5])
        #expect(try scoredBy("by-pinned") == [2, 2, 2, 2, 2, 2, 2])
        // The scorers have ended, and their holds with them.
        #expect(try repository.prune("m", keeping: 1).removed == [2, 6])
    }

    @Test func aTrainerKeepsSoManyVersions() throws {
        try append(1000)
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

    @Test func anAliasThatIsNotThereIsSaid() throws {
        try publish()
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
        #expect(error?.message.contains("'m@stable'") == true)
    }
}
