import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

/// Directories that are closed, names with spaces, and numbers of rows that are out of the ordinary.
@Suite struct UnusualPlacesTests {
    private let bench: LogBench

    init() throws { bench = try LogBench() }

    /// Runs the tool without the rights that root has over the modes of files.
    private func withoutPower(_ arguments: String...) throws -> ToolProcess.Outcome {
        guard geteuid() == 0 else { return try bench.tool(arguments) }
        let bound = "--bounding-set=-dac_override,-dac_read_search"
        return try ToolProcess(
            [bound, ToolProcess.executable] + arguments, program: "/usr/bin/setpriv",
            environment: ["MILLRACE_DATA=\(bench.data)"]
        ).outcome()
    }

    @Test func placesThatMayNotBeRead() throws {
        try bench.create("t", "--features", "2")
        let file = try bench.write("rows.csv", "a,b\n1,2\n")
        _ = unsafe chmod(bench.data, 0)
        defer { _ = unsafe chmod(bench.data, 0o700) }
        for arguments in [["topic", "list"], ["produce", "t", "--from", file]] {
            let outcome = try withoutPower(arguments[0], arguments[1])
            #expect(outcome.code == 74 && outcome.output.isEmpty, "\(outcome)")
            #expect(outcome.errors.contains("\(bench.data)/format"), "\(outcome.errors)")
            #expect(outcome.errors.contains("Permission denied"), "\(outcome.errors)")
        }
    }

    @Test func placesThatMayNotBeWritten() throws {
        try bench.create("t", "--features", "2")
        let topics = bench.data + "/topics"
        _ = unsafe chmod(topics, 0o500)
        defer { _ = unsafe chmod(topics, 0o700) }
        let outcome = try withoutPower("topic", "create", "u", "--bytes")
        #expect(outcome.code == 74 && outcome.errors.contains("Permission denied"), "\(outcome)")
        // What may be read is read.
        let list = try withoutPower("topic", "list")
        #expect(list.code == 0 && list.output.contains("t "), "\(list)")
    }

    @Test func filesThatMayNotBeRead() throws {
        try bench.create("t", "--features", "2")
        let file = try bench.write("rows.csv", "a,b\n1,2\n")
        _ = unsafe chmod(file, 0)
        let outcome = try withoutPower("produce", "t", "--from", file)
        #expect(outcome.code == 74, "\(outcome)")
        #expect(outcome.errors.contains(file) && outcome.errors.contains("Permission denied"))
        #expect(try bench.rows("t").isEmpty)
    }

    @Test func namesWithSpaces() throws {
        let data = bench.directory.file("my data")
        let file = try bench.write("my rows.csv", "a,b\n1,2\n")
        let report = bench.directory.file("my report.html")
        try Files.writeDurably(
            bench.directory.file("my pipeline.yaml"),
            Array(
                """
                topics:
                  raw: {bytes: true}
                  rows: {features: prepare}
                sources: [{file: 'my rows.csv', to: raw}]
                stages:
                  prepare: {kind: preprocess, from: raw, to: rows, features: [{column: a}, {column: b}]}
                """.utf8))
        let run = try ToolProcess.run([
            "run", bench.directory.file("my pipeline.yaml"), "--data", data, "--report", report,
        ])
        #expect(run.code == 0, "\(run.errors)")
        #expect(Files.exists(report))
        let produced = try ToolProcess.run([
            "produce", "rows", "--from", file, "--data", data,
        ])
        #expect(produced.code == 0, "\(produced.errors)")
        let consumed = try ToolProcess.run(["consume", "rows", "--data", data])
        #expect(consumed.output.split(separator: "\n").count == 2, "\(consumed)")
        // A topic is a directory to others as well: its name has none.
        let refused = try bench.tool(["topic", "create", "my topic", "--bytes"])
        #expect(refused.code == 64 && refused.errors.contains("'my topic'"), "\(refused)")
    }

    @Test func aSingleRow() throws {
        let workshop = try Workshop(lines: ["1,2,1"])
        let outcome = try ToolProcess.run([
            "run", workshop.pipeline, "--data", workshop.data, "--json",
        ])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let consumed = try ToolProcess.run(["consume", "scores", "--data", workshop.data])
        #expect(consumed.output.split(separator: "\n").count == 1, "\(consumed)")
    }

    /// Many rows go through with memory that does not grow with them; `MILLRACE_ROWS` says how many.
    @Test func manyRows() throws {
        let rows = Environment.number("MILLRACE_ROWS", or: 200_000)
        try bench.create("t", "--features", "2", "--partitions", "2")
        let text = "awk 'BEGIN{print \"a,b\"; for(i=0;i<\(rows);i++) print i%1000\",\"i%7}'"
        let produced = try bench.shell("\(text) | \"$0\" produce t --from -")
        #expect(produced.code == 0, "\(produced.errors)")
        let sums = try bench.shell(
            "\"$0\" consume t --format csv | awk -F, 'NR>1{n++; a+=$(NF-1); b+=$NF} "
                + "END{printf \"%d %.0f %.0f\", n, a, b}'")
        let cycles = (rows / 1000, rows / 7)
        let a = cycles.0 * 499_500 + (0..<rows % 1000).reduce(0, +)
        let b = cycles.1 * 21 + (0..<rows % 7).reduce(0, +)
        #expect(sums.output == "\(rows) \(a) \(b)", "\(sums.errors)")
        let alone = try bench.tool(["consume", "t", "--format", "csv", "--max", "1"])
        let all = try ToolProcess(
            ["consume", "t", "--format", "raw"], environment: ["MILLRACE_DATA=\(bench.data)"]
        ).outcome()
        #expect(all.code == 0 && all.output.utf8.count > 0)
        #expect(all.peakBytes < alone.peakBytes + 96 << 20, "\(alone.peakBytes) \(all.peakBytes)")
    }
}
