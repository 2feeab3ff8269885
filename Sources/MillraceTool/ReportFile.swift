internal import MillracePipeline
internal import MillraceSystem

/// The HTML file that a user asked for.
enum ReportFile {
    static func write(_ html: String, to path: String) throws {
        do throws(SystemError) { try Files.writeDurably(path, Array(html.utf8)) } catch {
            throw PipelineError(
                .cannotCreate, "cannot write the report: \(error.reason)", file: path)
        }
    }
}
