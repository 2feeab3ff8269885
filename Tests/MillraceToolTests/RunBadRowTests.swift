import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// Lines that are no rows: left out, counted and named, or the end of the run, as asked.
@Suite struct RunBadRowTests {
    /// A line, the reason by which it is counted, and whether the source finds it.
    private struct BadLine {
        let bytes: [UInt8]
        let reason: String
        var isSource = false

        init(_ text: String, _ reason: String, isSource: Bool = false) {
            self.init(Array(text.utf8), reason, isSource: isSource)
        }

        init(_ bytes: [UInt8], _ reason: String, isSource: Bool = false) {
            self.bytes = bytes
            self.reason = reason
            self.isSource = isSource
        }
    }

    private static let badLines = [
        BadLine("1,2", "wrong-column-count"),
        BadLine("1,2,0,4", "wrong-column-count"),
        BadLine("x,2,1", "not-a-number"),
        BadLine("1,2,", "missing-label"),
        BadLine("1e39,2,1", "number-out-of-range"),
        BadLine([0xFF, 0x2C, 0x32, 0x2C, 0x31], "invalid-utf8"),
        BadLine("\"1,2,1", "malformed-quoting"),
        BadLine(String(repeating: "7", count: 300), "line-too-long", isSource: true),
    ]

    /// Good rows with the bad lines between them, some good rows quoted, and blank lines.
    private static func file() -> (bytes: [UInt8], lines: [(number: Int, bad: BadLine)]) {
        var bytes = Array("\(Workshop.header)\n".utf8)
        var numbers: [(Int, BadLine)] = []
        var line = 2
        func add(_ text: [UInt8]) {
            bytes += text + [0x0A]
            line += 1
        }
        for (index, row) in Workshop.rows.enumerated() {
            let fields = row.split(separator: ",")
            add(Array((index % 5 == 0 ? "\"\(fields[0])\",\(fields[1]),\(fields[2])" : row).utf8))
            if index % 6 == 2, index / 6 < badLines.count {
                numbers.append((line, badLines[index / 6]))
                add(badLines[index / 6].bytes)
            }
            if index == 4 || index == 40 { add([]) }
        }
        return (bytes, numbers)
    }

    private static let parts = Workshop.Parts(source: ", maxLineBytes: 200")

    @Test func badLinesAreLeftOutAndCounted() throws {
        let workshop = try Workshop(Self.parts)
        let (bytes, lines) = Self.file()
        try workshop.write("rows.csv", bytes)
        let outcome = try workshop.run(["--json"])
        #expect(outcome.code == 0)
        let summary = try RunSummary(json: outcome.output)
        let raw = try #require(summary.topics.first { $0.name == "raw" })
        #expect(raw.drops == ["line-too-long": 1, "blank-line": 2])
        let rows = try #require(summary.topics.first { $0.name == "rows" })
        #expect(
            rows.drops == [
                "wrong-column-count": 2, "not-a-number": 1, "missing-label": 1,
                "number-out-of-range": 1, "invalid-utf8": 1, "malformed-quoting": 1,
            ])
        #expect(rows.rows == Workshop.rows.count)
        #expect(summary.stages.map(\.rowsWritten) == [60, 0, 60])
        #expect(summary.stages[0].rowsRejected == 7)
        #expect(summary.stages[1].training?.rows == 60)

        #expect(outcome.errorLines.count == lines.count, "\(outcome.errors)")
        for (number, bad) in lines {
            let place = "rows.csv:\(number): skipped: "
            #expect(outcome.errorLines.count { $0.contains(place) } == 1, "\(place) \(bad.reason)")
        }

        // The numbers come from the topics: another run finds the same and warns of nothing.
        let again = try workshop.run(["--json"])
        #expect(again.errors == "")
        #expect(try RunSummary(json: again.output).topics == summary.topics)
    }

    /// Of many bad lines the first are named.
    @Test func theFirstTenAreNamed() throws {
        let workshop = try Workshop(lines: Workshop.rows + (0..<500).map { "bad\($0)" })
        let outcome = try workshop.run(["--json"])
        #expect(outcome.code == 0)
        let summary = try RunSummary(json: outcome.output)
        #expect(summary.topics[1].drops == ["wrong-column-count": 500])
        #expect(outcome.errorLines.count == 11)
        for number in 62..<72 {
            #expect(outcome.errors.contains("rows.csv:\(number): skipped: "))
        }
    }

    @Test func badLinesEndTheRunWhereAsked() throws {
        for (index, bad) in Self.badLines.enumerated() {
            var parts = Self.parts
            if bad.isSource {
                parts.source += ", badRows: fail"
            } else {
                parts.prepare = "    badRows: fail"
            }
            let workshop = try Workshop(parts)
            var bytes = Array(([Workshop.header] + Workshop.rows).joined(separator: "\n").utf8)
            bytes += [0x0A, 0x0A] + bad.bytes + Array("\n1,2,1\n".utf8)
            try workshop.write("rows.csv", bytes)
            for _ in 0..<2 {
                try workshop.run().expectError(65, "rows.csv:63:", "Mend the line")
            }
            #expect(Self.badLines[index].reason == bad.reason)
        }
    }

    /// A line of 100 MB is skipped in little memory.
    @Test func hugeLines() throws {
        let workshop = try Workshop()
        let path = workshop.directory.file("rows.csv")
        let file = unsafe fopen(path, "a")
        let block = String(repeating: "1234567,", count: 1 << 17)
        for _ in 0..<100 { unsafe fputs(block, file) }
        unsafe fputs("\n1,2,1\n", file)
        unsafe fclose(file)
        #expect(try Files.size(path) > 100 << 20)
        let outcome = try workshop.run(["--json"])
        #expect(outcome.code == 0)
        #expect(outcome.errorLines.count == 1)
        #expect(outcome.errors.contains("rows.csv:62: skipped: longer than 1048576 bytes"))
        let summary = try RunSummary(json: outcome.output)
        #expect(summary.topics[0].drops == ["line-too-long": 1])
        #expect(summary.topics[0].rows == 61)
        #expect(outcome.peakBytes > 1 << 20)
        #expect(outcome.peakBytes < 100 << 20)
    }

    /// Only a header: there is nothing to learn from, and that is said.
    @Test func filesWithoutRows() throws {
        try Workshop(lines: []).run().expectError(66, "no version of model 'm'")
        let workshop = try Workshop()
        try workshop.write("rows.csv", [])
        try workshop.run().expectError(65, "rows.csv:1", "names of the columns")
        #expect(try workshop.content() == nil)
    }
}
