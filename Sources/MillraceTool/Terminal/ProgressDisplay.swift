internal import Glibc
internal import MillracePipeline

/// Draws the progress of stages on standard error and draws over it again.
///
/// Each change is one `write`, so that lines of others do not tear it. Not safe to share between
/// threads: one thread draws.
struct ProgressDisplay {
    private let descriptor: Int32
    private var frame = ProgressFrame()

    /// A display on standard error, or nil where that is not a terminal: then nobody watches.
    init?(descriptor: Int32 = STDERR_FILENO) {
        guard TerminalWindow(descriptor) != nil else { return nil }
        self.descriptor = descriptor
    }

    /// Draws the stages in the place of those that were drawn before.
    mutating func show(_ stages: [StageProgress]) {
        guard let window = TerminalWindow(descriptor) else { return }
        write(frame.replace(ProgressLines(stages, in: window).lines, in: window))
    }

    /// Writes a line above the stages, such as a warning.
    mutating func note(_ line: String, then stages: [StageProgress]) {
        guard let window = TerminalWindow(descriptor) else { return }
        let text = frame.erase(in: window) + TerminalText.printable(line) + "\n"
        write(text + frame.replace(ProgressLines(stages, in: window).lines, in: window))
    }

    /// Takes the stages off the screen, for the summary or an error that follows.
    mutating func clear() {
        guard let window = TerminalWindow(descriptor) else { return }
        write(frame.erase(in: window))
    }

    /// Writes all of `text`; progress that cannot be written is nothing to stop for.
    private func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            // SAFETY: the buffer is as long as the count and lives through the call.
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

/// What stands on the screen, and the codes that replace it.
struct ProgressFrame {
    /// The columns that each drawn line takes.
    private var drawn: [Int] = []

    /// The codes that put `lines` in the place of what was drawn.
    mutating func replace(_ lines: [String], in window: TerminalWindow) -> String {
        var text = toStart(in: window)
        // Each line is overwritten and its rest cleared, which does not flicker as clearing first.
        for line in lines { text += line + "\u{1B}[K\n" }
        text += "\u{1B}[J"
        drawn = lines.map { TerminalText.width(Self.withoutCodes($0)) }
        return text
    }

    /// The codes that take away what was drawn.
    mutating func erase(in window: TerminalWindow) -> String {
        let text = toStart(in: window) + (drawn.isEmpty ? "" : "\u{1B}[J")
        drawn = []
        return text
    }

    /// Moves to the first line that was drawn.
    ///
    /// Lines that were drawn in a wider window take several now.
    private func toStart(in window: TerminalWindow) -> String {
        let columns = max(window.columns, 1)
        let rows = drawn.reduce(0) { $0 + max(1, ($1 + columns - 1) / columns) }
        return rows > 0 ? "\r\u{1B}[\(rows)A" : ""
    }

    /// A line without its colours.
    static func withoutCodes(_ line: String) -> String {
        var plain = String.UnicodeScalarView()
        var inCode = false
        for scalar in line.unicodeScalars {
            if inCode {
                inCode = scalar != "m"
            } else if scalar == "\u{1B}" {
                inCode = true
            } else {
                plain.append(scalar)
            }
        }
        return String(plain)
    }
}
