import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// Topics by the command line: making, changing, removing, verifying.
@Suite struct TopicCommandTests {
    private let directory: TemporaryDirectory
    private var data: String { directory.file("data") }

    init() throws { directory = try TemporaryDirectory("millrace-topics") }

    private func topic(_ arguments: String...) throws -> ToolProcess.Outcome {
        try ToolProcess.run(["topic"] + arguments, environment: ["MILLRACE_DATA=\(data)"])
    }

    private func log(_ name: String) throws -> Topic {
        try DataDirectory(data, create: false).topic(name)
    }

    /// A topic of three batches with ten rows each, and its segment.
    private func filled() throws -> String {
        #expect(try topic("create", "rows", "--bytes", "--codec", "none").code == 0)
        var writer = try log("rows").writer(partition: 0)
        for batch in 0..<3 {
            var builder = BatchBuilder()
            for row in 0..<10 { builder.append(value: Array("batch \(batch) row \(row)".utf8)) }
            try writer.append(&builder)
        }
        try writer.close()
        let entry = data + "/topics/rows/"
        let inside = try Files.list(entry).first { Files.isDirectory(entry + $0) }
        let place = entry + (try #require(inside)) + "/0/"
        return place + (try #require(try Files.list(place).first { $0.hasSuffix(".log") }))
    }

    private func flip(_ path: String, byte: Int) throws {
        let file = try FileHandle(path, .readWrite)
        var content: [UInt8] = [0]
        _ = try file.read(into: &content, at: byte)
        try file.write([content[0] ^ 1], at: byte)
    }

    @Test func createWithEverything() throws {
        let outcome = try topic(
            "create", "features", "--partitions", "3", "--features", "4", "--dtype", "int8",
            "--label", "--codec", "lz4", "--level", "9", "--scale", "0.25", "--zero-point", "-3",
            "--flush", "50", "--segment-bytes", "1048576", "--segment-minutes", "10",
            "--retention-bytes", "5000000", "--retention-hours", "2", "--json")
        #expect(outcome.code == 0, "\(outcome.errors)")
        let made = try log("features").configuration
        #expect(
            made
                == TopicConfiguration(
                    partitions: 3, kind: .features, features: 4, label: true, level: 9,
                    elementType: .int8, scale: 0.25, zeroPoint: -3, segmentBytes: 1 << 20,
                    segmentMilliseconds: 600_000, flush: .interval(milliseconds: 50),
                    retention: RetentionPolicy(bytes: 5_000_000, milliseconds: 7_200_000)))
        let described = try JSONValue(outcome.output)
        #expect(described["flush"]?.number == 50)
        #expect(described["retention"]?["milliseconds"]?.number == 7_200_000)
        #expect(try JSONValue(topic("describe", "features", "--json").output) == described)
        let text = try topic("create", "split", "--features", "2", "--filter", "split").output
        #expect(text == "Created topic split, partitions: 1.\n")
        #expect(try log("split").configuration.filter == .split)
        #expect(try topic("describe", "features").output.contains("every 50 ms"))
    }

    @Test func createRefusals() throws {
        #expect(try topic("create", "rows", "--bytes").code == 0)
        try topic("create", "rows", "--bytes").expectError(73, "rows")
        try topic("create", "../x", "--bytes").expectError(64, "../x")
        try topic("create", "x", "--bytes", "--partitions", "0").expectError(64, "0")
        try topic("create", "x", "--features", "0").expectError(64)
        try topic("create", "x", "--bytes", "--filter", "split").expectError(64, "filter")
        let hours = "\(Int.max / 2)"
        try topic("create", "x", "--bytes", "--retention-hours", hours).expectError(64, "2^42")
        try topic("create", "x", "--bytes", "--segment-minutes", hours).expectError(64, "2^42")
        #expect(try JSONValue(topic("list", "--json").output).elements.count == 1)
    }

    @Test func alter() throws {
        #expect(try topic("create", "rows", "--bytes").code == 0)
        #expect(
            try topic("alter", "rows", "--partitions", "2", "--flush", "batch").output
                == "Altered topic rows.\n")
        #expect(try topic("alter", "rows", "--retention-bytes", "1000").code == 0)
        let outcome = try topic("alter", "rows", "--retention-hours", "1", "--json")
        #expect(outcome.code == 0)
        let altered = try log("rows").configuration
        #expect(
            altered
                == TopicConfiguration(
                    partitions: 2, kind: .bytes, flush: .batch,
                    retention: RetentionPolicy(bytes: 1000, milliseconds: 3_600_000)))
        #expect(try JSONValue(outcome.output)["endOffsets"] == .array([.number(0), .number(0)]))
        #expect(try topic("alter", "rows", "--retention-bytes", "none").code == 0)
        #expect(
            try log("rows").configuration.retention == RetentionPolicy(milliseconds: 3_600_000))
        try topic("alter", "rows", "--partitions", "1").expectError(64, "2")
        try topic("alter", "nothing", "--flush", "batch").expectError(66, "nothing")
    }

    @Test func delete() throws {
        _ = try filled()
        let outcome = try topic("delete", "rows")
        #expect(outcome.code == 0)
        #expect(outcome.output == "")
        #expect(try JSONValue(topic("list", "--json").output) == .array([]))
        try topic("delete", "rows").expectError(66, "rows")
        try topic("verify", "rows").expectError(66, "rows")
    }

    @Test func status() throws {
        let segment = try filled()
        let described = try JSONValue(topic("describe", "rows", "--json").output)
        let status = try #require(described["status"]).elements
        #expect(status.count == 1)
        #expect(
            status[0].names == [
                "partition", "startOffset", "endOffset", "epoch", "segments", "bytes",
                "unsyncedBytes", "isPoisoned",
            ])
        #expect(status[0]["endOffset"]?.number == 30)
        #expect(status[0]["segments"]?.number == 1)
        #expect(status[0]["bytes"]?.number == Double(try Files.size(segment) - 128))
        #expect(status[0]["unsyncedBytes"]?.number == 0)
        var writer = try log("rows").writer(partition: 0)
        var builder = BatchBuilder()
        builder.append(value: [1])
        try writer.append(&builder)
        let later = try JSONValue(topic("describe", "rows", "--json").output)
        #expect(later["status"]?.elements[0]["unsyncedBytes"]?.number == 256)
    }

    @Test func verifyAnIntactTopic() throws {
        _ = try filled()
        let outcome = try topic("verify", "rows")
        #expect(outcome.code == 0)
        #expect(outcome.errors == "")
        #expect(outcome.output.hasPrefix("rows: intact: rows 30, batches 3, segments 1, "))
        let found = try JSONValue(topic("verify", "rows", "--json").output)
        #expect(found.names == ["topic", "intact", "faults", "notes"])
        #expect(found["intact"]?["rows"]?.number == 30)
    }

    @Test func verifyAndSalvage() throws {
        let path = try filled()
        let batch = (try Files.size(path) - 128) / 3
        try flip(path, byte: 128 + batch + 200)
        let outcome = try topic("verify", "rows", "--json")
        #expect(outcome.code == 65)
        #expect(outcome.errors == "")
        let fault = try #require(try JSONValue(outcome.output)["faults"]?.elements.first)
        #expect(fault["file"] == .text(path))
        #expect(fault["effect"] == .text("rows"))
        #expect(fault["partition"]?.number == 0)
        #expect(fault["lostOffsets"] == .array([.number(10), .number(20)]))
        #expect(fault.names.isSuperset(of: ["byte", "expected", "found", "lostBytes"]))
        let text = try topic("verify", "rows")
        #expect(text.code == 65)
        #expect(text.output.hasPrefix("fault: \(path): byte "))
        let rescued = directory.file("rescued")
        let salvage = try topic("verify", "rows", "--salvage", rescued, "--json")
        #expect(salvage.code == 65)
        let kept = try JSONValue(salvage.output)["salvage"]
        #expect(kept?["kept"]?["rows"]?.number == 20)
        let copied = try ToolProcess.run(["topic", "verify", "rows", "--data", rescued])
        #expect(copied.code == 0)
        let again = try topic("verify", "rows", "--salvage", rescued)
        #expect(again.code == 65)
        #expect(again.output == "")
        #expect(again.errors.contains(rescued))
    }

    /// A description that is lost is said anew.
    @Test func salvageWithoutADescription() throws {
        _ = try filled()
        try flip(data + "/topics/rows/topic.json", byte: 40)
        let rescued = directory.file("rescued")
        try topic("verify", "rows", "--salvage", rescued).expectError(65, "configuration")
        let outcome = try topic("verify", "rows", "--salvage", rescued, "--bytes")
        #expect(outcome.code == 65)
        #expect(outcome.output.contains("copied to \(rescued): rows 30, "))
    }
}
