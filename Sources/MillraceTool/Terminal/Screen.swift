internal import Logging
internal import MillracePipeline
internal import MillraceSystem

/// Standard error, shared by the progress lines and the log.
final class Screen: Sendable {
    private struct State {
        var display = ProgressDisplay()
        var shown: [StageProgress] = []
        var isOver = false
    }

    private let state = Lock(State())
    private static let tickNanoseconds: Int64 = 100_000_000

    /// Shows the progress of stages ten times a second, on a terminal; nil where there is none.
    func follow(
        _ progress: @escaping @Sendable () -> [StageProgress]
    ) throws(SystemError) -> PinnedThread? {
        guard state.withLock({ $0.display != nil }) else { return nil }
        return try PinnedThread(name: "progress", core: nil) {
            while !self.state.withLock({ $0.isOver }) {
                let stages = progress()
                self.state.withLock {
                    $0.shown = stages
                    $0.display?.show(stages)
                }
                PinnedThread.sleep(nanoseconds: Self.tickNanoseconds)
            }
        }
    }

    /// Takes the progress lines away.
    func end(_ ticker: PinnedThread?) {
        state.withLock { $0.isOver = true }
        ticker?.join()
        state.withLock { $0.display?.clear() }
    }

    /// Writes a line of the log above the progress lines.
    func note(_ line: String) {
        state.withLock {
            if $0.display != nil {
                let shown = $0.shown
                $0.display?.note(line, then: shown)
            } else {
                ExitStatus.write(line)
            }
        }
    }
}

/// Sends the log to the screen, a line a message.
struct NoteLogHandler: LogHandler {
    let screen: Screen
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .notice

    init(screen: Screen) { self.screen = screen }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        screen.note("\(event.level): \(event.message)")
    }
}
