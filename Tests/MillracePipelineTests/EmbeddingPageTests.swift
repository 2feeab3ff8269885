import Logging
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// The examples of the page on embedding, as they stand there.
@Suite(.timeLimit(.minutes(5))) struct EmbeddingPageTests {
    private let directory: TemporaryDirectory
    private let data: DataDirectory
    private let topic: Topic
    private let cores = [CPU.allowed()[0]]

    /// Six rows of two features in two partitions, of which four have labels.
    init() throws {
        directory = try TemporaryDirectory("millrace-embedding", inMemory: true)
        data = try DataDirectory(directory.path, create: true)
        topic = try data.topic(
            "rows",
            creating: TopicConfiguration(
                partitions: 2, kind: .features, features: 2, label: true))
        for partition in 0..<2 { try append(partition, [.nan, 0, 1]) }
    }

    private func append(_ partition: Int, _ labels: [Float]) throws {
        var writer = try topic.writer(partition: partition)
        var builder = BatchBuilder(columns: 2)
        for (number, label) in labels.enumerated() {
            do {
                var row = builder.nextRow()
                row[0] = Float(partition * 10 + number)
                row[1] = -1
            }
            builder.commitRow(label: label)
        }
        try writer.append(&builder)
        try writer.close()
    }

    /// Publishes the model `delay`, whose output is the first column, and promotes it.
    private func publish() throws -> ModelRepository {
        let repository = ModelRepository(path: directory.file("models"))
        let layer = DenseLayer(inputs: 2, outputs: 1, weights: [1, 0], bias: [0])
        let model = try Model(input: InputStage(identity: 2), layers: [layer], head: .identity)
        _ = try repository.publish(model, as: "delay", Publication(key: ""))
        try repository.promote("delay", version: 1)
        return repository
    }

    @Test func handlersSeeEveryRowOnce() throws {
        #expect(try countLabelled(topic, of: data, cores: cores) == 4)
        #expect(try countLabelled(topic, of: data, cores: cores) == 0)
        try append(1, [1])
        #expect(try countLabelled(topic, of: data, cores: cores) == 1)
    }

    @Test func batchesAreASequence() async throws {
        #expect(try await sums(topic, of: data, cores: cores) == [0: 3, 1: 33])
        #expect(try await sums(topic, of: data, cores: cores) == [:])
    }

    @Test func slotsHaveScorersOfTheirOwn() throws {
        let feed = try ModelFeed(try publish(), "delay@stable")
        #expect(try highest(topic, of: data, feed: feed, cores: cores) == 12)
    }

    @Test func pipelinesEndWhenTheirTaskIsCancelled() async throws {
        _ = try publish()
        let definition = try scoring("rows", into: "scores", data: directory.path)
        let path = directory.path
        let task = Task {
            try await runPipeline(definition, data: path, logger: .silent)
        }
        for _ in 0..<3000 where try !hasScored() {
            try await Task.sleep(nanoseconds: 10_000_000)
        }
        task.cancel()
        let summary = try await task.value
        #expect(summary.stage("score")?.rowsWritten == 6)
    }

    private func hasScored() throws -> Bool {
        guard try data.topicNames().contains("scores") else { return false }
        return try rowCount(data.topic("scores")) == 6
    }

    @Test func aStageOfOnesOwnDoublesEachRowOnce() throws {
        let output = try data.topic(
            "doubled",
            creating: TopicConfiguration(partitions: 2, kind: .features, features: 2))
        for rows in 6...7 {
            let group = try ConsumerGroup(
                data: data, name: "double", topics: [topic], outputs: [output], cores: cores)
            let failure = Lock<(any Error)?>(nil)
            let thread = try PinnedThread(name: "double", core: nil) {
                do { try runDoubling(group, from: topic, to: output) } catch {
                    failure.withLock { $0 = error }
                }
            }
            while try rowCount(output) < rows, failure.withLock({ $0 == nil }) {
                PinnedThread.sleep(nanoseconds: 5_000_000)
            }
            group.drain()
            thread.join()
            #expect(failure.withLock { $0 == nil })
            #expect(try rowCount(output) == rows)
            if rows == 6 { try append(0, [1]) }
        }
        #expect(try firstColumn(output, 0) == [0, 2, 4, 0])
        #expect(try firstColumn(output, 1) == [20, 22, 24])
    }

    private func rowCount(_ topic: Topic) throws -> Int {
        Int(try topic.endOffset(partition: 0) + topic.endOffset(partition: 1))
    }

    private func firstColumn(_ topic: Topic, _ partition: Int) throws -> [Float] {
        var reader = try topic.reader(partition: partition)
        var values: [Float] = []
        while let batch = try reader.next() {
            let matrix = batch.matrix
            for row in 0..<batch.rows { values.append(matrix[row * batch.stride]) }
        }
        return values
    }

    @Test func readersWaitForRows() throws {
        #expect(try awaitRow(topic, milliseconds: 1) == nil)
        let found = Lock<Result<UInt64?, any Error>?>(nil)
        let thread = try PinnedThread(name: "waits", core: nil) {
            let result = Result { try awaitRow(topic, milliseconds: 60_000) }
            found.withLock { $0 = result }
        }
        // Whoever waits begins behind what is there; what comes before that is not seen.
        while found.withLock({ $0 == nil }) {
            try append(0, [1])
            PinnedThread.sleep(nanoseconds: 20_000_000)
        }
        thread.join()
        let offset = try #require(found.withLock { $0 }).get()
        #expect(offset ?? 0 >= 3)
    }

    @Test func errorsHaveExitCodes() throws {
        let error = #expect(throws: LogError.self) { try data.topic("nothing") }
        #expect(exitCode(try #require(error)) == 66)
    }

    /// Every example on the page stands in a file that is compiled here.
    @Test func thePageShowsWhatIsCompiledHere() throws {
        let page = try text("Sources/Millrace/Millrace.docc/Embedding.md")
        let examples = page.components("```swift\n").dropFirst().map { $0.components("```")[0] }
        #expect(examples.count == 8)
        let source = try ["EmbeddingExamples", "CustomStageExample"].map {
            try text("Tests/MillracePipelineTests/\($0).swift")
        }.joined()
        for example in examples {
            #expect(source.components(example).count == 2, "not compiled:\n\(example)")
        }
    }

    private func text(_ name: String) throws -> String {
        let bytes = try Files.read(SharedData.root + "/" + name, maxBytes: 1 << 20)
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension String {
    /// The parts between occurrences of `separator`.
    fileprivate func components(_ separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}
