import Glibc
import MillracePipeline
import Testing

@testable import MillraceTool

/// Draws on a real pseudo-terminal and reads what arrives there.
@Suite struct TerminalDisplayTests {
    /// A pseudo-terminal; `user` is the end where a person would look.
    private final class Screen {
        private let user: Int32
        let program: Int32

        /// `TIOCSPTLCK` and `TIOCGPTN` of Linux, macros that Swift does not import.
        private static let setLock: UInt = 0x4004_5431
        private static let number: UInt = 0x8004_5430

        init(columns: UInt16, rows: UInt16) throws {
            user = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY)
            var locked: Int32 = 0
            var terminal: Int32 = 0
            let made =
                unsafe user >= 0 && ioctl(user, Self.setLock, &locked) == 0
                && ioctl(user, Self.number, &terminal) == 0
            program = unsafe made ? open("/dev/pts/\(terminal)", O_RDWR | O_NOCTTY) : -1
            try #require(program >= 0)
            var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
            let sized = unsafe ioctl(program, UInt(TIOCSWINSZ), &size)
            try #require(sized == 0)
        }

        /// What the program has written and nobody has read, with the terminal's `\r\n` as `\n`.
        func text() -> String {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = unsafe read(user, &buffer, buffer.count)
            return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
                .replacing("\r\n", with: "\n")
        }

        deinit {
            close(program)
            close(user)
        }
    }

    private static var drawsHere: Bool {
        guard let term = unsafe getenv("TERM") else { return true }
        return unsafe String(cString: term) != "dumb"
    }

    @Test(.enabled(if: drawsHere)) func drawsOnATerminal() throws {
        let screen = try Screen(columns: 40, rows: 10)
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
