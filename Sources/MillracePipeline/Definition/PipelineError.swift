/// What went wrong in a pipeline, where, and what to do about it.
///
/// The description is one or two lines: `file:line:column: message`, then the advice.
public struct PipelineError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure, numbered as in `sysexits.h` so that it is the tool's exit code too.
    public enum Code: Int32, Sendable, CaseIterable {
        /// The command line or the pipeline file asks for something that makes no sense.
        case usage = 64
        /// Rows or files hold something other than what they should.
        case badData = 65
        /// A file, topic or model that is needed does not exist.
        case noInput = 66
        /// A defect of the program itself.
        case internalError = 70
        /// An output cannot be created.
        case cannotCreate = 73
        /// Reading or writing failed.
        case inputOutput = 74
        /// Something that passes by itself, such as a group that another process runs.
        case tryLater = 75
        /// The user or the system asked the program to stop.
        case interrupted = 130
    }

    /// The kind of failure.
    public var code: Code
    /// What is wrong, without the place; one line.
    public var message: String
    /// What to do; one line, or nil where the message says it all.
    public var advice: String?
    /// The file that is at fault, as the user named it.
    public var file: String?
    /// Where in the file.
    public var position: SourcePosition?

    /// Creates an error.
    public init(
        _ code: Code, _ message: String, advice: String? = nil, file: String? = nil,
        position: SourcePosition? = nil
    ) {
        self.code = code
        self.message = message
        self.advice = advice
        self.file = file
        self.position = position
    }

    /// The line in `file`, counted from 1.
    public var line: Int? { position?.line }

    /// The error in one or two lines.
    public var description: String {
        var text = ""
        if let file {
            text += file
            if let position { text += ":\(position)" }
            text += ": "
        }
        text += message
        if let advice { text += "\n  \(advice)" }
        return text
    }
}
