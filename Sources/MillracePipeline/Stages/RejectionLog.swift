internal import Logging
internal import MillraceFeatures
internal import Synchronization

/// Tells about rows that cannot be used: the first few one by one, all of them by number.
final class RejectionLog: Sendable {
    /// How many rows are named in the log; the rest is only counted.
    static let maxNamed = 10

    private let logger: Logger
    private let count = Atomic<Int>(0)

    init(logger: Logger) { self.logger = logger }

    /// Reports a row.
    ///
    /// - Throws: `badData` with the file and line when the policy is to fail.
    func reject(
        file: String, line: Int, _ reason: String, policy: BadRowPolicy
    ) throws(PipelineError) {
        if policy == .fail {
            throw PipelineError(
                .badData, reason,
                advice: "Mend the line, or set \"badRows: skip\" to leave such lines out.",
                file: file, position: SourcePosition(line: line, column: 1))
        }
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        if number <= Self.maxNamed {
            logger.warning(
                "\(file):\(line): skipped: \(reason)",
                metadata: ["file": "\(file)", "line": "\(line)", "reason": "\(reason)"])
        }
        if number == Self.maxNamed {
            logger.warning("further skipped rows are counted, not listed")
        }
    }
}
