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
