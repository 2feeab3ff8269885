import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// `millrace consume`: where it begins, what it commits, and when it ends.
@Suite struct ConsumeCommandTests {
    private let bench: LogBench

    init() throws { bench = try LogBench() }

    /// Lines "0", "1" and so on, in batches of 100, in turn to two partitions.
    private func makeRows(_ count: Int = 1000) throws {
        let log = try DataDirectory(bench.data, create: true)
        let topic = try log.createTopic("t", TopicConfiguration(partitions: 2, kind: .bytes))
        try append(0..<count, to: topic)
    }

    private func append(_ rows: Range<Int>, to topic: Topic) throws {
        for partition in 0..<2 {
            var writer = try topic.writer(partition: partition)
            for first in stride(from: rows.lowerBound, to: rows.upperBound, by: 100)
            where first / 100 % 2 == partition {
                var builder = BatchBuilder()
                for row in first..<min(first + 100, rows.upperBound) {
                    builder.append(value: "\(row)".utf8)
                }
                builder.timestamp = Int64(max(first, 1)) * 1_000_000_000
                try writer.append(&builder)
            }
        }
    }

    private func raw(_ arguments: String...) throws -> [Int] {
        let outcome = try bench.tool(["consume", "t", "--format", "raw"] + arguments)
        #expect(outcome.code == 0, "\(outcome.errors)")
        return outcome.output.split(separator: "\n").compactMap { Int($0) }
    }

    private func lags(_ group: String) throws -> [Double?] {
        let outcome = try bench.tool(["group", "describe", group, "--json"])
        return try JSONValue(outcome.output)["partitions"]?.elements.map { $0["lag"]?.number } ?? []
    }

    // MARK: Places

    @Test func places() throws {
        try makeRows()
        #expect(try raw().count == 1000)
        #expect(try raw("--partition", "1").first == 100)
        #expect(try raw("--offset", "450").sorted() == Array(850..<900) + Array(950..<1000))
        #expect(try raw("--offset", "earliest", "--max", "2") == [0, 1])
        #expect(try raw("--offset", "latest") == [])
        #expect(try raw("--offset", "500") == [])
        #expect(try raw("--max", "0") == [])
        #expect(
            try raw("--time", "700", "--partition", "1")
                == Array(700..<800) + Array(900..<1000))
        #expect(try raw("--time", "1970-01-01T00:11:40Z").count == 300)
        #expect(try raw("--time", "5000") == [])
    }

    @Test func outOfRange() throws {
        try bench.create(
            "t", "--bytes", "--segment-bytes", "65536", "--retention-bytes", "65536",
            "--codec", "none")
        let lines = (0..<40_000).map { "\($0)\n" }.joined()
        #expect(try bench.pipe(lines, "t").code == 0)
        let start = Int(try bench.topic("t").startOffset(partition: 0))
        try #require(start > 0)
        try bench.tool(["consume", "t", "--offset", "0"]).expectError(65, "\(start)")
        try bench.tool(["consume", "t", "--offset", "40001"]).expectError(65, "40001")
        #expect(try raw().first == start)
        for offset in ["0", "40001"] {
            let policy = "--on-out-of-range"
            #expect(try raw("--offset", offset, policy, "earliest").first == start)
            #expect(try raw("--offset", offset, policy, "latest") == [])
        }
    }

    @Test func usage() throws {
        try makeRows(10)
        for arguments in [
            ["--offset", "1", "--time", "2"], ["--group", "g", "--partition", "0"],
            ["--offset", "-1"], ["--offset", "middle"], ["--max", "-1"], ["--format", "xml"],
            ["--on-out-of-range", "never"], ["--time", "noon"],
        ] {
            #expect(try bench.tool(["consume", "t"] + arguments).code == 64, "\(arguments)")
        }
        try bench.tool(["consume", "tt"]).expectError(66, "did you mean 't'?")
        try bench.tool(["consume", "t", "--group", "a/b"]).expectError(64, "a/b")
        #expect(try bench.tool(["group", "list", "--json"]).output == "[\n\n]\n")
    }

    // MARK: Groups

    @Test func aGroupGoesOn() throws {
        try makeRows()
        var seen: [Int] = []
        for count in [1, 99, 150, 1, 300] {
            let rows = try raw("--group", "g", "--max", "\(count)")
            #expect(rows.count == count)
            seen += rows
        }
        #expect(try lags("g").compactMap(\.self).reduce(0, +) == 449)
        seen += try raw("--group", "g")
        #expect(seen.sorted() == Array(0..<1000))
        #expect(try raw("--group", "g") == [])
        try append(1000..<1100, to: bench.topic("t"))
        // Where it begins is for groups that have committed nothing.
        #expect(try raw("--group", "g", "--offset", "latest") == Array(1000..<1100))
        #expect(try raw("--group", "h", "--offset", "latest") == [])
        // Who has printed nothing has committed nothing.
        #expect(try raw("--group", "h", "--max", "5").count == 5)
        #expect(try raw("--group", "i", "--time", "900").count == 200)
    }

    @Test(arguments: [false, true])
    func followUntilASignal(_ withGroup: Bool) throws {
        try makeRows()
        let output = bench.directory.file("output")
        let options = withGroup ? "--group g" : ""
        let process = try ToolProcess(
            [
                "-c", "exec \"$0\" consume t --follow --format raw \(options) > '\(output)'",
                ToolProcess.executable,
            ], program: "/bin/bash", environment: ["MILLRACE_DATA=\(bench.data)"])
        func printed() throws -> [Int] {
            guard Files.exists(output) else { return [] }
            let text = String(
                decoding: try Files.read(output, maxBytes: 1 << 20), as: UTF8.self)
            return text.split(separator: "\n").compactMap { Int($0) }
        }
        func waitFor(_ count: Int) throws {
            try Patience.wait { try printed().count >= count }
            #expect(try printed().sorted() == Array(0..<count))
        }
        try waitFor(1000)
        try append(1000..<1200, to: bench.topic("t"))
        try waitFor(1200)
        process.send(SIGINT)
        let outcome = try process.outcome()
        #expect(outcome.code == 0 && outcome.errors == "", "\(outcome.errors)")
        if withGroup { #expect(try lags("g") == [0, 0]) }
    }

    /// Who stops reading is no failure; what was not written is not committed, and comes again.
    @Test func closedPipes() throws {
        try makeRows(100_000)
        let command = "\"$0\" consume t --format raw --group g | head -n 1500; echo \"$PIPESTATUS\""
        let outcome = try bench.shell(command)
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 1501 && lines.last == "0" && outcome.errors == "")
        let left = try lags("g").compactMap(\.self).reduce(0, +)
        let rest = try raw("--group", "g")
        #expect(Double(rest.count) == left)
        // A pipe holds 64 KiB, and so does head.
        #expect(rest.count > 100_000 - 1500 - 2 * 65_536 / 4)
    }

    /// A signal ends it behind a batch, all of which is printed and committed.
    @Test func anEarlyEnd() throws {
        try makeRows(20_000)
        let file = bench.directory.file("pipe")
        try #require(unsafe mkfifo(file, 0o600) == 0)
        let process = try ToolProcess(
            [
                "-c", "exec \"$0\" consume t --format jsonl --group g > '\(file)'",
                ToolProcess.executable,
            ],
            program: "/bin/bash", environment: ["MILLRACE_DATA=\(bench.data)"])
        let pipe = unsafe open(file, O_RDONLY | O_CLOEXEC)
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 12)
        while true {
            let count = unsafe read(pipe, &buffer, buffer.count)
            if count <= 0 { break }
            // It has begun, and cannot have ended: the pipe is full.
            if text.isEmpty {
                process.send(SIGTERM)
                usleep(100_000)
            }
            text += buffer[..<count]
        }
        close(pipe)
        let outcome = try process.outcome()
        let rows = text.count { $0 == 10 }
        outcome.expectError(130, "stopped before the end: \(rows) rows were printed")
        #expect(rows > 0 && rows < 20_000)
        #expect(try rows + raw("--group", "g").count == 20_000)
    }
}
