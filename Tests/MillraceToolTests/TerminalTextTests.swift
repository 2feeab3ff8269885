import MillracePipeline
import Testing

@testable import MillraceTool

@Suite struct TerminalTextTests {
    @Test(arguments: [("", 0), ("abc", 3), ("データ", 6), ("e\u{301}", 1), ("━─…", 3), ("🚀", 2)])
    func widths(text: String, width: Int) {
        #expect(TerminalText.width(text) == width)
    }

    @Test func textsAreCutToAWidth() {
        #expect(TerminalText.cut("flights", to: 7) == "flights")
        #expect(TerminalText.cut("flights", to: 4) == "fli…")
        #expect(TerminalText.cut("データ", to: 4) == "デ…")
        #expect(TerminalText.cut("flights", to: 1) == "…")
        #expect(TerminalText.cut("flights", to: 0) == "")
        #expect(TerminalText.fit("7", 3, .trailing) == "  7")
        #expect(TerminalText.fit("データ", 4) == "デ… ")
    }

    @Test func nothingIsObeyed() {
        #expect(
            TerminalText.printable("a\u{1B}[31mb\u{7}\r\u{202E}c\nd")
                == "a\u{FFFD}[31mb\u{FFFD}\u{FFFD}\u{FFFD}c\nd")
    }

    private let table = TextTable(
        columns: [.text("stage"), .number("rows"), .number("rejected"), .text("cores")],
        rows: [["prepare", "336,776", "", "0, 1"], ["a-rather-long-name", "1"]])

    @Test func tablesAlign() {
        #expect(
            table.lines(limit: 80) == [
                "stage                  rows  cores",
                "prepare             336,776  0, 1",
                "a-rather-long-name        1",
            ])
    }

    @Test func tablesGetNarrower() {
        #expect(
            table.lines(limit: 23) == [
                "stage       rows  cores",
                "prepare  336,776  0, 1",
                "a-rath…        1",
            ])
        // A column goes before names get too short to be told apart.
        #expect(
            table.lines(limit: 18) == [
                "stage       rows",
                "prepare  336,776",
                "a-rath…        1",
            ])
        for limit in 1...60 {
            for line in table.lines(limit: limit) {
                #expect(TerminalText.width(line) <= limit, "\(limit): \(line)")
            }
        }
    }

    private let summary = ClosingSummary(
        title: "Done in 4.2 s",
        facts: [("rows", "336,776 read, none rejected"), ("model", "flights-delay@7")],
        stages: TextTable(
            columns: [.text("stage"), .number("rows/s per core")],
            rows: [["prepare", "812,345"], ["predict", "1,240,004"]]))

    @Test func summariesAreText() {
        #expect(
            summary.text(in: nil) == """
                Done in 4.2 s
                  rows   336,776 read, none rejected
                  model  flights-delay@7

                  stage    rows/s per core
                  prepare          812,345
                  predict        1,240,004

                """)
    }

    @Test func summariesFitTheWindow() {
        for columns in 10...130 {
            let window = TerminalWindow(columns: columns, showsColours: true)
            for line in summary.text(in: window).split(separator: "\n") {
                let plain = ProgressFrame.withoutCodes(String(line))
                #expect(TerminalText.width(plain) <= columns, "\(columns): \(plain)")
            }
        }
    }

    @Test func errorsAreTwoLinesAtMost() {
        let error = PipelineError(
            .usage, "unknown key \"form\"", advice: "Did you mean \"from\"?", file: "p\u{1B}.yaml",
            position: .init(line: 3, column: 5))
        #expect(
            ErrorText.render(error, colours: false) == """
                millrace: error: p\u{FFFD}.yaml:3:5: unknown key "form"
                  Did you mean "from"?

                """)
        #expect(
            ErrorText.render(error, colours: true).hasPrefix(
                "\u{1B}[1mmillrace: \u{1B}[0m\u{1B}[31merror: \u{1B}[0m"))
    }
}
