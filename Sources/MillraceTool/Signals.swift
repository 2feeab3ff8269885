internal import Glibc
internal import MillraceSystem
internal import Synchronization

/// Signals that ask the tool to end, or that it must not die of.
enum Signals {
    private static let interrupted = Atomic<Bool>(false)

    /// A closed pipe and a file-size limit come back as errors of the call.
    static func ignoreBrokenPipesAndFileSizes() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Calls `action` once on the first SIGINT or SIGTERM; a second one kills as usual.
    static func onInterrupt(_ action: @escaping @Sendable () -> Void) {
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                // Only an atomic store and `signal` itself happen here: both are allowed in a
                // handler.
                Signals.interrupted.store(true, ordering: .relaxed)
                signal(number, SIG_DFL)
            }
        }
        do throws(SystemError) {
            _ = try PinnedThread(name: "signals", core: nil) {
                while !Signals.interrupted.load(ordering: .relaxed) {
                    PinnedThread.sleep(nanoseconds: 20_000_000)
                }
                action()
            }
        } catch {
            ExitStatus.write("cannot watch for signals: \(error)")
        }
    }
}
