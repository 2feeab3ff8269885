import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// Groups by the command line.
@Suite struct GroupCommandTests {
    private let directory: TemporaryDirectory
    private let log: DataDirectory
    private let topic: Topic

    init() throws {
        directory = try TemporaryDirectory("millrace-group-command")
        log = try DataDirectory(directory.path, create: true)
        topic = try log.topic("rows", creating: TopicConfiguration(partitions: 2, kind: .bytes))
        for partition in 0..<2 {
            var writer = try topic.writer(partition: partition)
            for row in 0..<5 {
                var builder = BatchBuilder()
                builder.append(value: "\(row)".utf8)
                try writer.append(&builder)
            }
        }
    }

    private func group(_ arguments: String...) throws -> ToolProcess.Outcome {
        try ToolProcess.run(
            ["group"] + arguments, environment: ["MILLRACE_DATA=\(directory.path)"])
    }

    private func join() throws -> ConsumerGroup {
        try ConsumerGroup(data: log, name: "readers", topics: [topic], cores: [0])
    }

    @Test func listAndDescribe() throws {
        #expect(try JSONValue(group("list", "--json").output).elements.isEmpty)
        try join().consumeToEnd { _, _ in }
        let list = try JSONValue(group("list", "--json").output).elements
        #expect(list.count == 1)
        #expect(list.first?["group"] == .text("readers"))
        #expect(list.first?["state"] == .text("empty"))
        #expect(try group("list").output.contains("readers"))

        let member = try join()
        let described = try JSONValue(group("describe", "readers", "--json").output)
        #expect(described["state"] == .text("stable"))
        #expect(described["members"]?.elements.count == 1)
        let partitions = described["partitions"]?.elements ?? []
        #expect(partitions.count == 2)
        for partition in partitions {
            #expect(partition["committed"]?.number == 5)
            #expect(partition["end"]?.number == 5)
            #expect(partition["lag"]?.number == 0)
            #expect(partition["process"]?.number == Double(getpid()))
            #expect(partition["core"]?.number == 0)
            #expect(partition["generation"]?.number == described["generation"]?.number)
        }
        let text = try group("describe", "readers").output
        for part in ["state       stable", "committed", "lag", "process", "\(getpid())"] {
            #expect(text.contains(part), "\(part)")
        }
        _ = member.name
    }

    @Test func describeOfTheIdleAndTheIdle() throws {
        let first = try join()
        // It owns nothing for as long as the first lets go of nothing.
        let second = try join()
        let both = try group("describe", "readers").output.split(separator: "\n")
        #expect(both.contains("members     2"))
        let idle = both.filter { $0.hasPrefix("-") }
        #expect(idle.count == 1 && idle[0].contains("\(getpid())"))
        let other = try ConsumerGroup(
            data: log, name: "others", topics: [topic], cores: [0], coreSharing: .allowed)
        #expect(
            try group("describe", "readers").output.contains(
                "shared      core 0 with group others, process \(getpid())"))
        _ = (first.name, second.name, other.name)
    }

    /// Two processes by hand: one is killed, then the other.
    @Test func describeAfterKills() throws {
        let workshop = try Workshop()
        try #require(try workshop.run().code == 0)
        func describe() throws -> [String] {
            let outcome = try ToolProcess.run(
                ["group", "describe", "predict", "--data", workshop.data])
            #expect(outcome.code == 0 && outcome.errors == "")
            return outcome.output.split(separator: "\n").map(String.init)
        }
        func members() throws -> Int {
            let line = try describe().first { $0.hasPrefix("members") }
            return line.flatMap { Int($0.split(separator: " ")[1]) } ?? -1
        }
        func start() throws -> ToolProcess {
            try ToolProcess([
                "run", workshop.pipeline, "--data", workshop.data, "--stage", "predict",
                "--follow", "--cores", "\(CPU.allowed()[0])",
            ])
        }
        func waitFor(members count: Int) throws {
            #expect(try Patience.wait { try members() == count })
        }
        let first = try start()
        try waitFor(members: 1)
        let second = try start()
        try waitFor(members: 2)
        first.send(SIGKILL)
        _ = try first.outcome()
        try waitFor(members: 1)
        let after = try describe()
        #expect(after.contains { $0.hasPrefix("rows ") && $0.contains("\(second.identifier)") })
        #expect(!after.contains { $0.contains("\(first.identifier).") || $0.hasPrefix("awaited") })
        second.send(SIGKILL)
        _ = try second.outcome()
        let empty = try describe()
        #expect(empty.contains("state       empty") && empty.contains("members     0"))
        #expect(!empty.contains { $0.hasPrefix("awaited") || $0.contains("\(second.identifier)") })
    }

    @Test func resetAndDelete() throws {
        try join().consumeToEnd { _, _ in }
        let reset = try group("reset", "readers", "rows", "--to-offset", "2", "--json")
        #expect(try JSONValue(reset.output)["offsets"] == .array([.number(2), .number(2)]))
        #expect(
            try group("reset", "readers", "rows", "--to", "earliest").output
                == "rows/0 goes on at 0.\nrows/1 goes on at 0.\n")
        #expect(
            try group("reset", "readers", "rows", "--to-time", "2400-01-01T00:00:00Z").code == 64)
        #expect(
            try group("reset", "readers", "rows", "--to-time", "2100-01-01T00:00:00Z").output
                == "rows/0 goes on at 5.\nrows/1 goes on at 5.\n")
        #expect(try group("delete", "readers").code == 0)
        #expect(try JSONValue(group("list", "--json").output).elements.isEmpty)
    }

    @Test func refusals() throws {
        try group("describe", "nobody").expectError(66, "nobody")
        try group("delete", "nobody").expectError(66, "nobody")
        try group("describe", "a/b").expectError(64, "a/b")
        try group("reset", "nobody", "rows", "--to", "latest").expectError(66, "nobody")
        let member = try join()
        try group("reset", "readers", "rows", "--to", "latest").expectError(75, "\(getpid())")
        try group("delete", "readers").expectError(75, "\(getpid())")
        #expect(try JSONValue(group("describe", "readers", "--json").output)["state"] != nil)
        _ = member.name
        #expect(try group("reset", "readers", "rows").code == 64)
        #expect(try group("reset", "readers", "rows", "--to", "middle").code == 64)
    }

    @Test func resetOfAnUnknownTopic() throws {
        try join().consumeToEnd { _, _ in }
        try group("reset", "readers", "none", "--to", "latest").expectError(66, "none")
    }
}
