import MillracePipeline
import MillraceSystem
import Testing

@testable import MillraceTool

@Suite struct TerminalProgressTests {
    private let stages = [
        StageProgress(
            name: "flights.csv.lz4", kind: "source", state: .done, rowsDone: 336_776,
            rowsTotal: 336_776, cores: [0]),
        StageProgress(
            name: "prepare", kind: "preprocess", state: .running, rowsDone: 208_900,
            rowsTotal: 336_776, rowsPerSecond: 812_345, lagRows: 127_876, rejectedRows: 3),
        StageProgress(
            name: "learn", kind: "train", state: .running, rowsDone: 50_500,
            rowsPerSecond: 402_118, lagRows: 1_000, loss: 0.31102, auc: 0.88551, modelVersion: 1),
        StageProgress(name: "predict", kind: "score"),
    ]

    private func text(_ stages: [StageProgress], _ window: TerminalWindow) -> String {
        ProgressLines(stages, in: window).lines.joined(separator: "\n")
    }

    @Test func wideWindowsShowEverything() {
        #expect(
            text(stages, TerminalWindow(columns: 138)) == """
                flights.csv.lz4  ━━━━━━━━━━━━━━━     done  336,776 rows
                prepare          ━━━━━━━━━──────     62 %  208,900 rows   812 k rows/s     1 s left\
                  lag 127,876                               3 rejected
                learn                             running   50,500 rows   402 k rows/s                 lag 1,000\
                  loss 0.3110  AUC 0.8855  v1
                predict                           waiting
                """)
    }

    @Test func narrowWindowsShowWhatMattersMost() {
        #expect(
            text(stages, TerminalWindow(columns: 52)) == """
                flights.csv.lz4     done  336,776 rows
                prepare             62 %  208,900 rows  3 rejected
                learn            running   50,500 rows
                predict          waiting
                """)
    }

    @Test func aFileThatIsReadSaysHowMuchIsLeft() {
        var stage = StageProgress(
            name: "rows", kind: "produce", state: .running, rowsDone: 1_000_000,
            rowsPerSecond: 500_000)
        stage.bytes = StageProgress.FileBytes(read: 25_000_000, total: 100_000_000)
        #expect(
            text([stage], TerminalWindow(columns: 110)) == """
                rows  ━━━━━━━─────────────────────  25 %  25.0 MB of 100 MB  1,000,000 rows   500 k \
                rows/s     6 s left
                """)
        #expect(
            text([stage], TerminalWindow(columns: 40))
                == "rows  25 %  1,000,000 rows     6 s left")
        stage.state = .done
        #expect(stage.secondsLeft == nil)
    }

    @Test(arguments: [(0.0, "0 s"), (59.1, "60 s"), (100, "2 min"), (5941, "2 h"), (1e9, "days")])
    func theRestIsToldInOneUnit(_ seconds: Double, _ text: String) {
        #expect(ProgressLines.rest(seconds) == text)
    }

    @Test func aRunningStageIsNotAtItsEnd() {
        let stage = StageProgress(
            name: "s", kind: "score", state: .running, rowsDone: 999, rowsTotal: 1000)
        #expect(text([stage], TerminalWindow(columns: 30)) == "s  ━━━━━━━─  99 %    999 rows")
    }

    @Test func coloursTakeNoSpace() {
        for columns in 20...160 {
            let plain = ProgressLines(stages, in: TerminalWindow(columns: columns)).lines
            let coloured = ProgressLines(
                stages, in: TerminalWindow(columns: columns, showsColours: true)
            ).lines
            #expect(coloured.map(ProgressFrame.withoutCodes) == plain)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func noLineWraps(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let names = ["a", "flights", "データ処理段階", "e\u{301}tape", String(repeating: "x", count: 90)]
        for _ in 0..<40 {
            let stages = (0...Int(random.next() % 5)).map { _ in
                StageProgress(
                    name: names[Int(random.next() % 5)], kind: "score",
                    state: StageProgress.State.allCases[Int(random.next() % 4)],
                    rowsDone: Int(random.next() >> (1 + random.next() % 60)),
                    rowsTotal: random.next() % 2 == 0 ? Int(random.next() >> 20) : nil,
                    rowsPerSecond: Double(bitPattern: random.next()),
                    lagRows: random.next() % 2 == 0 ? Int(random.next() >> 30) : nil,
                    loss: random.unit() * 10,
                    auc: random.next() % 2 == 0 ? random.unit() : nil,
                    accuracy: random.unit(), modelVersion: Int(random.next() >> 50),
                    rejectedRows: Int(random.next() >> 40))
            }
            for columns in 1...200 {
                let lines = ProgressLines(stages, in: TerminalWindow(columns: columns)).lines
                #expect(lines.count == stages.count)
                for line in lines {
                    let width = TerminalText.width(line)
                    #expect(width < max(columns, 2), "seed \(seed), \(columns): \(line)")
                }
            }
        }
    }

    @Test func moreStagesThanLinesAreCounted() {
        let many = (0..<30).map { StageProgress(name: "s\($0)", kind: "score") }
        let lines = ProgressLines(many, in: TerminalWindow(columns: 40, rows: 10)).lines
        #expect(lines.count == 9)
        #expect(lines.first == "s0  waiting")
        #expect(lines.last == "… and 22 more")
    }

    @Test func framesReplaceEachOther() {
        var frame = ProgressFrame()
        let wide = TerminalWindow(columns: 80)
        #expect(frame.replace(["one", "two"], in: wide) == "one\u{1B}[K\ntwo\u{1B}[K\n\u{1B}[J")
        #expect(frame.replace(["three"], in: wide) == "\r\u{1B}[2Athree\u{1B}[K\n\u{1B}[J")
        #expect(frame.erase(in: wide) == "\r\u{1B}[1A\u{1B}[J")
        #expect(frame.erase(in: wide) == "")
    }

    @Test func linesThatAShrunkWindowWrapsAreCounted() {
        var frame = ProgressFrame()
        let line = TerminalStyle.red(String(repeating: "x", count: 50), when: true)
        _ = frame.replace([line, "y"], in: TerminalWindow(columns: 80))
        #expect(frame.erase(in: TerminalWindow(columns: 20)) == "\r\u{1B}[4A\u{1B}[J")
    }
}
