import Glibc
import MillracePipeline
import Testing

@testable import MillraceTool

/// Draws on a real pseudo-terminal and reads what arrives there.
@Suite struct TerminalDisplayTests {
    private static var drawsHere: Bool {
        guard let term = unsafe getenv("TERM") else { return true }
        return unsafe String(cString: term) != "dumb"
    }

    @Test(.enabled(if: drawsHere)) func drawsOnATerminal() throws {
        let screen = try PseudoTerminal(columns: 40, rows: 10)
        let window = try #require(TerminalWindow(screen.program))
        #expect(window.columns == 40)
        #expect(window.rows == 10)

        var display = try #require(ProgressDisplay(descriptor: screen.program))
        let stage = StageProgress(name: "learn", kind: "train")
        display.show([stage])
        #expect(ProgressFrame.withoutCodes(screen.text()).hasPrefix("learn  waiting"))

        display.note("a line\u{1B}[2J", then: [stage])
        let text = screen.text()
        #expect(text.hasPrefix("\r\u{1B}[1A\u{1B}[Ja line\u{FFFD}[2J\n"))
        #expect(text.hasSuffix("\u{1B}[K\n\u{1B}[J"))

        display.clear()
        #expect(screen.text() == "\r\u{1B}[1A\u{1B}[J")
    }

    @Test func filesAreNoTerminals() throws {
        let file = unsafe open("/dev/null", O_WRONLY)
        defer { close(file) }
        #expect(TerminalWindow(file) == nil)
        #expect(ProgressDisplay(descriptor: file) == nil)
        #expect(TerminalWindow(-1) == nil)
    }
}
