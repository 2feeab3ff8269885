internal import ArgumentParser
internal import Glibc
internal import MillracePipeline

/// How the process ends: with the exit codes of sysexits.h, and an error in one or two lines.
enum ExitStatus {
    /// Ends the process for an error.
    static func end(with error: any Error) -> Never {
        if let error = error as? PipelineError {
            let colours = TerminalWindow(STDERR_FILENO)?.showsColours ?? false
            write(ErrorText.render(error, colours: colours))
            exit(error.code.rawValue)
        }
        MillraceCommand.exit(withError: error)
    }

    /// Runs `body`, turning errors of the library into those that carry an exit code.
    static func coded<R>(_ body: () throws -> R) throws -> R {
        do { return try body() } catch let error as PipelineError { throw error } catch {
            throw PipelineError(wrapping: error)
        }
    }

    /// Writes to standard error.
    static func write(_ text: String) {
        let line = Array((text.hasSuffix("\n") ? text : text + "\n").utf8)
        // Nobody is left to tell when standard error itself is gone.
        _ = unsafe line.withUnsafeBytes {
            unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count)
        }
    }
}
