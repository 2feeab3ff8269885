/// What was asked of the arithmetic that this processor or this build cannot give.
public struct ComputeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Why it failed.
    public enum Code: String, Sendable {
        /// No kernel set has that name.
        case unknownKernels
        /// The processor lacks the instructions of that kernel set.
        case unavailableKernels
        /// No precision has that name.
        case unknownPrecision
    }

    /// Why it failed.
    public let code: Code
    /// The kernel set or precision asked for.
    public let requested: String
    /// Whether the environment variable `MILLRACE_KERNELS` asked for it.
    public let fromEnvironment: Bool

    /// What failed and what to choose instead.
    public var description: String {
        let origin = fromEnvironment ? " (from MILLRACE_KERNELS)" : ""
        let usable = (["auto"] + KernelSet.available.map(\.rawValue)).joined(separator: ", ")
        switch code {
        case .unknownKernels:
            return "there are no '\(requested)' kernels\(origin); choose one of \(usable)"
        case .unavailableKernels:
            return "this processor cannot run the '\(requested)' kernels\(origin); "
                + "choose one of \(usable)"
        case .unknownPrecision:
            let offered = Precision.allCases.map(\.rawValue).joined(separator: " or ")
            return "there is no precision '\(requested)'; choose \(offered)"
        }
    }
}
