/// A model, its training data or its checkpoint that cannot be used as it is.
public struct ModelError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: String, Sendable {
        /// Shapes that do not fit each other.
        case invalidShape
        /// A number that must be finite, or positive, and is not.
        case invalidNumber
        /// A training option out of its range.
        case invalidOption
        /// A label that is no class, or no number.
        case invalidLabel
        /// A feature that is infinite; a missing one is NaN.
        case invalidFeature
        /// The loss of a mini-batch overflowed: the rate is too high for these data.
        case divergedLoss
        /// A checkpoint with bytes that no checkpoint has.
        case malformedCheckpoint
        /// A checkpoint of a training with other options.
        case otherOptions
    }

    /// What is wrong.
    public let code: Code
    /// Where, what was found, what was expected, and what to do about it.
    public let detail: String
    /// The byte of a checkpoint at which reading stopped.
    public let bytePosition: Int?

    init(_ code: Code, _ detail: String, bytePosition: Int? = nil) {
        self.code = code
        self.detail = detail
        self.bytePosition = bytePosition
    }

    /// What is wrong, and where.
    public var description: String {
        bytePosition.map { "\(detail) (byte \($0) of the checkpoint)" } ?? detail
    }
}
