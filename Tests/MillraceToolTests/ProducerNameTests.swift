import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// `millrace produce --producer`: each row once, whatever happens to the command.
@Suite struct ProducerNameTests {
    private let bench: LogBench

    init() throws { bench = try LogBench() }

    private func start(_ arguments: String...) throws -> ToolProcess {
        try ToolProcess(["produce"] + arguments, environment: ["MILLRACE_DATA=\(bench.data)"])
    }

    private func lines(_ topic: String) throws -> [[String]] {
        let rows = try bench.rows(topic)
        return try (0..<bench.topic(topic).partitions).map { partition in
            rows.filter { $0.partition == partition }.map {
                String(decoding: $0.value, as: UTF8.self)
            }
        }
    }

    /// Rows in all partitions.
    private func end(_ name: String) throws -> Int {
        let topic = try bench.topic(name)
        return try (0..<topic.partitions).reduce(0) {
            $0 + Int(try topic.endOffset(partition: $1))
        }
    }

    /// Killed again and again at moments that nobody chose.
    @Test(arguments: ["roundRobin", "sticky", "hash"])
    func kills(_ partitioner: String) throws {
        try bench.create("raw", "--bytes", "--partitions", "3")
        let rows = (0..<100_000).map { "key\($0 % 97),\($0)" }
        let file = try bench.write("r.csv", "k,n\n" + rows.map { $0 + "\n" }.joined())
        let arguments = [
            "produce", "raw", "--from", file, "--producer", "load", "--partitioner", partitioner,
            "--key", "k",
        ]
        var random = SplitMix64(seed: UInt64.random(in: 0...UInt64.max))
        var stops: Set<Int> = []
        for _ in 0..<8 {
            let process = try ToolProcess(
                arguments, environment: ["MILLRACE_DATA=\(bench.data)"])
            let next = try end("raw") + Int(random.next() % 15_000)
            while process.isRunning, try end("raw") < next { usleep(200) }
            usleep(UInt32(random.next() % 3000))
            process.send(SIGKILL)
            _ = try process.outcome()
            stops.insert(try end("raw"))
        }
        // The moments have to differ for the test to be one.
        #expect(stops.count > 2, "\(stops)")
        let last = try bench.tool(arguments + ["--json"])
        #expect(last.code == 0, "\(last.errors)")
        let summary = try JSONValue(last.output)
        let (new, old) = (summary["rows"]?.number, summary["rowsAlreadyThere"]?.number)
        #expect(new.flatMap { n in old.map { n + $0 } } == Double(rows.count))
        let found = try lines("raw")
        #expect(found.joined().count == rows.count)
        let places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1, $0) })
        for partition in found {
            let order = partition.compactMap { places[$0] }
            #expect(order == order.sorted() && order.count == partition.count)
        }
        #expect(Set(found.joined()).count == rows.count)
        let verified = try bench.tool(["topic", "verify", "raw"])
        #expect(verified.code == 0, "\(verified.output)")
    }

    @Test func aFileThatGrows() throws {
        try bench.create("raw", "--bytes", "--partitions", "2")
        let all = (0..<9000).map { "line \($0)" }
        var seen = 0
        for count in [3, 3, 4000, 4096, 4097, 9000, 9000] {
            let text = all[..<count].joined(separator: "\n")
            // The last line gets its newline only as the next is written.
            let file = try bench.write("log.txt", text)
            let outcome = try bench.produce("raw", "--from", file, "--producer", "p", "--json")
            #expect(outcome.code == 0, "\(outcome.errors)")
            let summary = try JSONValue(outcome.output)
            #expect(summary["rows"]?.number == Double(count - seen))
            #expect(summary["rowsAlreadyThere"]?.number == Double(seen))
            seen = count
        }
        let found = try lines("raw")
        #expect(found[0] == Array(all[..<4096] + all[8192...]))
        #expect(found[1] == Array(all[4096..<8192]))
    }

    /// How rows are spread is settled by the first attempt.
    @Test func anotherSpread() throws {
        try bench.create("raw", "--bytes", "--partitions", "2")
        let rows = (0..<10_000).map { "key\($0 % 97),\($0)\n" }
        let file = try bench.write("r.csv", "k,n\n" + rows.joined())
        let arguments = ["raw", "--from", file, "--producer", "p"]
        #expect(try bench.produce(arguments + ["--partitioner", "roundRobin"]).code == 0)
        for other in [["--partitioner", "sticky"], ["--key", "k"], []] {
            try bench.produce(arguments + other).expectError(
                64, "'producer:p'", "spread by roundRobin, not by")
        }
        #expect(try bench.tool(["topic", "alter", "raw", "--partitions", "5"]).code == 0)
        let again = try bench.produce(
            arguments + ["--partitioner", "roundRobin", "--json"])
        #expect(try JSONValue(again.output)["rows"]?.number == 0, "\(again.errors)")
        #expect(try end("raw") == 10_000)
    }

    /// An attempt that appended nothing has settled nothing.
    @Test func nothingSettlesNothing() throws {
        try bench.create("raw", "--bytes", "--partitions", "2")
        #expect(
            try bench.pipe("", "raw", "--producer", "p", "--partitioner", "roundRobin").code == 0)
        #expect(try bench.pipe("a\nb\n", "raw", "--producer", "p").code == 0)
        #expect(try lines("raw").joined().sorted() == ["a", "b"])
    }

    @Test func anotherInputIsRefused() throws {
        try bench.create("raw", "--bytes")
        #expect(try bench.pipe("a\nb\nc\n", "raw", "--producer", "p").code == 0)
        for text in ["a\nB\nc\nd\n", "a\nb\n", "", "a\nb\nc d\n"] {
            try bench.pipe(text, "raw", "--producer", "p").expectError(
                65, "producer 'p' has appended another input", "Nothing was appended.")
        }
        #expect(try lines("raw") == [["a", "b", "c"]])
        #expect(try bench.pipe("a\nB\n", "raw", "--producer", "q").code == 0)
        #expect(try bench.pipe("a\nb\nc\nd\n", "raw", "--producer", "p").code == 0)
        #expect(try lines("raw") == [["a", "b", "c", "a", "B", "d"]])
    }

    @Test func aBadRowIsCorrected() throws {
        try bench.create("f", "--features", "1")
        let text = "a\n1\n2\nx\n4\n"
        try bench.pipe(text, "f", "--producer", "p").expectError(65, ":4:1:", "2 rows before it")
        try bench.pipe(text, "f", "--producer", "p").expectError(
            65, ":4:1:", "0 rows before it are in topic 'f', and 2 were there already")
        #expect(try bench.pipe("a\n1\n2\n3\n4\n", "f", "--producer", "p").code == 0)
        #expect(try bench.rows("f").map(\.features) == [[1], [2], [3], [4]])
    }

    /// A pipe that both sides have open, and a process that reads it.
    private final class Feed {
        let path: String
        private let pipe: Int32

        init(_ path: String) throws {
            self.path = path
            try #require(unsafe mkfifo(path, 0o600) == 0)
            pipe = unsafe open(path, O_RDWR | O_CLOEXEC)
        }

        func send(_ text: String) {
            let bytes = Array(text.utf8)
            #expect(unsafe write(pipe, bytes, bytes.count) == bytes.count)
        }

        deinit { close(pipe) }
    }

    private func waitFor(rows count: Int, _ topic: String) throws {
        try Patience.wait { try lines(topic).joined().count >= count }
        #expect(try lines(topic).joined().count == count)
    }

    /// Rows of a slow writer are there at once; a signal ends the waiting behind the last of them.
    @Test func aSlowWriterAndASignal() throws {
        try bench.create("raw", "--bytes")
        let feed = try Feed(bench.directory.file("feed"))
        let process = try start("raw", "--from", feed.path, "--producer", "p")
        feed.send("one\ntwo\nthr")
        try waitFor(rows: 2, "raw")
        feed.send("ee\n")
        try waitFor(rows: 3, "raw")
        feed.send("fo")
        usleep(50_000)
        process.send(SIGINT)
        let outcome = try process.outcome()
        outcome.expectError(
            130, "stopped behind line 3 of \(feed.path); 3 rows before it are in topic 'raw'",
            "Run the same command again to go on.")
        #expect(try bench.pipe("one\ntwo\nthree\nfour", "raw", "--producer", "p").code == 0)
        #expect(try lines("raw") == [["one", "two", "three", "four"]])
    }

    @Test(arguments: [UInt16(40), 200])
    func progressOnATerminal(columns: UInt16) throws {
        try bench.create("raw", "--bytes")
        let feed = try Feed(bench.directory.file("feed"))
        let terminal = try PseudoTerminal(columns: columns, rows: 12)
        let process = try ToolProcess(
            [
                "-c", "exec \"$0\" produce raw --from '\(feed.path)' 2> '\(terminal.path)'",
                ToolProcess.executable,
            ], program: "/bin/bash",
            environment: ["MILLRACE_DATA=\(bench.data)", "TERM=xterm", "NO_COLOR=1"])
        feed.send("one\ntwo\n")
        var text = ""
        while !text.contains("2 rows") { text += terminal.text() }
        process.send(SIGINT)
        #expect(try process.outcome().code == 130)
        let drawn = text.split(separator: "\n").filter { $0.contains("raw") }
        #expect(drawn.allSatisfy { $0.count <= Int(columns) + "\r\u{1B}[1A\u{1B}[K".count })
        #expect(drawn.last?.contains("running") == true)
    }

    /// Nobody ever writes to the pipe: a signal ends the waiting all the same.
    @Test(arguments: ["csv", "lines"])
    func aSignalBeforeAnybodyWrites(format: String) throws {
        try bench.create("raw", "--bytes")
        let path = bench.directory.file("lonely")
        try #require(unsafe mkfifo(path, 0o600) == 0)
        let process = try start("raw", "--from", path, "--format", format)
        usleep(200_000)
        process.send(SIGINT)
        #expect(try process.outcome().code == 130)
        #expect(try lines("raw").joined().isEmpty)
    }

    /// A writer that comes late is waited for, and its end is the end.
    @Test func aWriterThatComesLate() throws {
        try bench.create("raw", "--bytes")
        let path = bench.directory.file("late")
        try #require(unsafe mkfifo(path, 0o600) == 0)
        let process = try start("raw", "--from", path)
        usleep(200_000)
        let pipe = unsafe open(path, O_WRONLY | O_CLOEXEC)
        let text = Array("one\ntwo".utf8)
        #expect(unsafe write(pipe, text, text.count) == text.count)
        close(pipe)
        #expect(try process.outcome().code == 0)
        #expect(try lines("raw") == [["one", "two"]])
    }

    @Test func twoOfOneName() throws {
        try bench.create("raw", "--bytes")
        let feed = try Feed(bench.directory.file("feed"))
        let first = try start("raw", "--from", feed.path, "--producer", "p")
        feed.send("one\n")
        try waitFor(rows: 1, "raw")
        #expect(try bench.pipe("one\ntwo\n", "raw", "--producer", "p").code == 0)
        feed.send("2\n")
        try first.outcome().expectError(75, "another instance of the producer", "must stop")
        #expect(try lines("raw") == [["one", "two"]])
    }
}
