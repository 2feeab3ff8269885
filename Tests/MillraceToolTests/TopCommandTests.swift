import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceTool

/// `millrace top`, on a terminal and elsewhere.
@Suite struct TopCommandTests {
    private let bench: LogBench

    init() throws {
        bench = try LogBench()
        try bench.create("rows", "--bytes", "--partitions", "2")
        let lines = (0..<30).map { "\($0)\n" }.joined()
        try #require(try bench.pipe(lines, "rows", "--partitioner", "roundRobin").code == 0)
        _ = try bench.consume("rows", "--group", "readers", "--max", "10")
    }

    @Test func onceWithoutATerminal() throws {
        let outcome = try bench.tool(["top", "--interval", "0.1"])
        #expect(outcome.code == 0 && outcome.errors == "")
        let lines = outcome.output.split(separator: "\n")
        try #require(lines.count == 2)
        let names = lines[0].split(separator: " ").map(String.init)
        #expect(
            names == [
                "group", "state", "lag", "rows/s", "left", "members", "partitions", "committed",
                "topics",
            ])
        let fields = lines[1].split(separator: " ").map(String.init)
        #expect(fields == ["readers", "empty", "20", "0", "-", "0", "2", "10", "rows"])
    }

    @Test func asJSON() throws {
        let process = try ToolProcess(
            ["top", "--json", "--interval", "2"], environment: ["MILLRACE_DATA=\(bench.data)"])
        // Consumed between its two looks.
        usleep(700_000)
        _ = try bench.consume("rows", "--group", "readers", "--max", "15")
        let groups = try JSONValue(process.outcome().output).elements
        try #require(groups.count == 1)
        #expect(
            groups[0].names == [
                "group", "state", "members", "cores", "topics", "partitions", "committed", "lag",
                "rowsPerSecond", "modelVersions",
            ])
        #expect(groups[0]["modelVersions"] == .array([]))
        #expect(groups[0]["topics"] == .array([.text("rows")]))
        #expect(groups[0]["committed"]?.number == 25 && groups[0]["lag"]?.number == 5)
        let rate = try #require(groups[0]["rowsPerSecond"]?.number)
        #expect(rate > 0.5 && rate < 8)
    }

    @Test(arguments: [UInt16(40), 200])
    func refreshedInPlace(_ columns: UInt16) throws {
        let terminal = try PseudoTerminal(columns: columns, rows: 12)
        let process = try ToolProcess(
            [
                "-c", "exec \"$0\" top --interval 0.1 > '\(terminal.path)'",
                ToolProcess.executable,
            ], program: "/bin/bash", environment: ["MILLRACE_DATA=\(bench.data)", "TERM=xterm"])
        // Drawn, and drawn over: two lines up.
        var text = ""
        while text.ranges(of: "\u{1B}[2A").count < 2 { text += terminal.text() }
        process.send(SIGINT)
        let outcome = try process.outcome()
        #expect(outcome.code == 0 && outcome.errors == "", "\(outcome.errors)")
        let table = text.split(separator: "\u{1B}[2A")[0]
            .replacing("\u{1B}[K", with: "").replacing("\u{1B}[J", with: "")
            .split(separator: "\n").map { $0.filter { $0 != "\r" } }.filter { !$0.isEmpty }
        #expect(table.count == 2 && table[1].hasPrefix("rea"))
        #expect(table.allSatisfy { $0.count <= Int(columns) })
        #expect(table[0].contains("topics") == (columns == 200))
    }

    @Test func refusals() throws {
        try ToolProcess.run(["top", "--data", "/nonexistent"]).expectError(66, "/nonexistent")
        #expect(try bench.tool(["top", "--interval", "0"]).code == 64)
        #expect(try bench.tool(["top", "--interval", "never"]).code == 64)
    }
}
