internal import Glibc
internal import MillracePipeline
internal import MillraceSystem

/// The HTML file that a user asked for.
enum ReportFile {
    /// Finds out before the run whether the file can be written after it.
    static func check(_ path: String) throws(PipelineError) {
        let directory = Files.parent(of: path)
        guard Files.isDirectory(directory), unsafe access(directory, W_OK) == 0 else {
            throw PipelineError(
                .cannotCreate, "cannot write the report: no directory that can be written",
                advice: "Make it first, or give another path with --report.", file: directory)
        }
        guard !Files.isDirectory(path) else {
            throw PipelineError(
                .cannotCreate, "cannot write the report: this is a directory",
                advice: "Give the path of a file with --report.", file: path)
        }
    }

    static func write(_ html: String, to path: String) throws {
        do throws(SystemError) { try Files.writeDurably(path, Array(html.utf8)) } catch {
            throw PipelineError(
                .cannotCreate, "cannot write the report: \(error.reason)", file: path)
        }
    }
}
