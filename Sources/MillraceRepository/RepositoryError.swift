public import MillraceSystem

/// A model repository that cannot give or take what was asked.
public struct RepositoryError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Why it failed.
    public enum Code: String, Sendable {
        /// A name that no model can have.
        case invalidName
        /// No such model or version.
        case notFound
        /// A file that breaks its format's rules.
        case malformedFile
        /// A file of a format version that this program does not know.
        case unsupportedVersion
        /// A file whose bytes are not those that were written.
        case checksumMismatch
        /// Tensors, manifest and model that do not fit each other.
        case invalidModel
        /// A model that does not predict what it predicted when it was published.
        case wrongPredictions
        /// A version that was not calibrated for the precision that is asked for.
        case notCalibrated
        /// A precision in which predictions differ by more than is allowed.
        case boundExceeded
        /// Somebody else has been publishing the same model for too long.
        case busy
        /// The file system refused.
        case storage
    }

    /// Why it failed.
    public let code: Code
    /// The file or directory concerned.
    public let path: String
    /// What was expected and what was found.
    public let detail: String
    /// Where in the file, if at a certain byte.
    public let bytePosition: Int?
    /// What the file system said.
    public let cause: SystemError?

    package init(
        _ code: Code, path: String, _ detail: String, bytePosition: Int? = nil,
        cause: SystemError? = nil
    ) {
        self.code = code
        self.path = path
        self.detail = detail
        self.bytePosition = bytePosition
        self.cause = cause
    }

    package init(_ cause: SystemError) {
        self.init(
            cause.isNotFound ? .notFound : .storage, path: cause.path, cause.description,
            cause: cause)
    }

    /// Where it failed and why.
    public var description: String {
        if let cause { return cause.description }
        let place = bytePosition.map { ", byte \($0)" } ?? ""
        return "\(path)\(place): \(detail)"
    }
}
