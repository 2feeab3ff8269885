import Logging
import MetricsTestKit
import Millrace
import MillraceService
import MillraceSystem
import MillraceTestSupport
import ServiceLifecycle
import ServiceLifecycleTestKit
import Testing

/// A score stage that follows a topic, as a service among others.
@Suite(.timeLimit(.minutes(2))) struct PipelineServiceTests {
    private let directory: TemporaryDirectory
    private let data: DataDirectory
    private static let rows = 3000

    init() throws {
        directory = try TemporaryDirectory("millrace-service")
        data = try DataDirectory(directory.file("data"), create: true)
        let topic = try data.topic(
            "rows", creating: TopicConfiguration(partitions: 2, kind: .features, features: 2))
        for partition in 0..<2 {
            var writer = try topic.writer(partition: partition)
            var builder = BatchBuilder(columns: 2)
            for row in 0..<Self.rows {
                do {
                    var target = builder.nextRow()
                    target[0] = Float(row)
                    target[1] = Float(partition)
                }
                builder.commitRow()
                if row % 100 == 99 { try writer.append(&builder) }
            }
            try writer.close()
        }
        let layer = DenseLayer(inputs: 2, outputs: 1, weights: [1, 0], bias: [0])
        let model = try Model(input: InputStage(identity: 2), layers: [layer], head: .identity)
        _ = try ModelRepository(path: directory.file("models")).publish(
            model, as: "m", Publication(key: ""))
    }

    private func service(follow: Bool = true) throws -> PipelineService {
        PipelineService(try pipeline(follow: follow))
    }

    private func pipeline(follow: Bool) throws -> PipelineRun {
        let definition = try PipelineDefinition.scoring(
            from: "rows", to: "scores", model: "m", group: "score",
            data: directory.file("data"))
        return try PipelineRun(
            definition,
            options: RunOptions(
                data: directory.file("data"), models: directory.file("models"),
                sharesCores: true,
                follow: follow), logger: Logger(label: "test"))
    }

    /// Rows that have a prediction; nil before there are any.
    private func scored() throws -> Int? {
        guard try data.topicNames().contains("scores") else { return nil }
        let topic = try data.topic("scores")
        return try (0..<2).reduce(0) { $0 + Int(try topic.endOffset(partition: $1)) }
    }

    /// Waits without holding up the threads of the tasks.
    private func waitForAll() async throws {
        while try scored() != 2 * Self.rows { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test func aGracefulShutdownEndsIt() async throws {
        let service = try service()
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await service.run() }
                try await waitForAll()
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        // Everything is committed, and nobody owns anything.
        let group = try GroupCatalog(data).describe("score")
        #expect(group.state == .empty && group.members.isEmpty)
        #expect(group.partitions.map(\.committed) == [UInt64(Self.rows), UInt64(Self.rows)])
    }

    @Test func aCancellationEndsIt() async throws {
        let service = try service()
        let task = Task { try await service.run() }
        try await waitForAll()
        task.cancel()
        try await task.value
        #expect(try GroupCatalog(data).describe("score").members.isEmpty)
    }

    @Test func aBoundedRunEndsByItselfAmongOthers() async throws {
        struct Idle: Service {
            func run() async throws { try await gracefulShutdown() }
        }
        let services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(
                service: try service(follow: false),
                successTerminationBehavior: .gracefullyShutdownGroup),
            .init(service: Idle()),
        ]
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services, logger: Logger(label: "test")))
        try await group.run()
        #expect(try scored() == 2 * Self.rows)
    }

    @Test func theHostsMetricsAreToldOfAllRows() async throws {
        let pipeline = try pipeline(follow: false)
        let backend = TestMetrics()
        // Ended after the pipeline, which comes after it.
        let services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(
                service: PipelineMetrics(
                    pipeline, every: .milliseconds(1), factory: backend)),
            .init(
                service: PipelineService(pipeline),
                successTerminationBehavior: .gracefullyShutdownGroup),
        ]
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services, logger: Logger(label: "test")))
        try await group.run()
        let stage = try #require(pipeline.progress().first)
        let dimensions = [("stage", stage.name), ("kind", "score")]
        let rows = try backend.expectCounter("millrace_stage_rows_total", dimensions)
        #expect(rows.totalValue == Int64(2 * Self.rows))
        let rejected = try backend.expectCounter("millrace_stage_rejected_rows_total", dimensions)
        #expect(rejected.totalValue == 0)
        let version = try backend.expectMeter("millrace_stage_model_version", dimensions)
        #expect(version.lastValue == 1)
        let created = try backend.expectMeter(
            "millrace_stage_model_created_timestamp_seconds", dimensions)
        let now = Double(Clock.wallNanoseconds()) / 1e9
        #expect(abs(try #require(created.lastValue) - now) < 600)
        let durations = try backend.expectTimer(
            "millrace_stage_batch_duration_seconds", dimensions)
        #expect(durations.values.count == stage.batches?.count)
        #expect(durations.values.allSatisfy { $0 >= 1000 })
    }

    @Test func aStageThatFailsEndsItWithItsError() async throws {
        let service = try service(follow: false)
        try Files.removeTree(directory.file("models"))
        let error = await #expect(throws: PipelineError.self) { try await service.run() }
        #expect(error?.code == .noInput)
    }
}
