/// What became of a row that was handed to a `RowEncoder`.
public enum RowOutcome: Sendable, Equatable {
    /// The features were written. `label` is NaN where the row has none; `route` is the index of the
    /// first route whose condition holds, or -1 where none does.
    case encoded(label: Float, route: Int)
    /// The row is unusable. `column` is the position of the column at fault, or -1 where it is the
    /// row as a whole. What was written to the features is unspecified.
    case rejected(RejectReason, column: Int)
}

/// Why a row is unusable.
///
/// The numbers are stable: they are stored with the drops of a topic.
public enum RejectReason: UInt32, Sendable, Equatable, CaseIterable {
    /// The row has more or fewer fields than the header has names.
    case wrongColumnCount = 1
    /// A field that must be a number is not.
    case notANumber = 2
    /// A number is too large for a float32.
    case numberOutOfRange = 3
    /// A field that must be a time of day is not.
    case notATime = 4
    /// The row is not valid UTF-8.
    case invalidUTF8 = 5
    /// A quote is not closed, or text follows a closing quote.
    case malformedQuoting = 6
    /// The label is missing, and the label rule says that such rows are rejected.
    case missingLabel = 7
    /// The label's value is not one of the classes.
    case unknownClass = 8
    /// The row is not a JSON object.
    case malformedJSON = 9
    /// An object or an array stands where a column's value has to be.
    case nestedValue = 10
    /// A field that must be a truth value is not.
    case notABoolean = 11
    /// A field that must be a date or a time is not.
    case notADate = 12
    /// A number is -1 or below, of which `log1p` does not exist.
    case outsideLogarithm = 13

    /// The reason's name, as users and metrics see it.
    public var name: String {
        switch self {
        case .wrongColumnCount: "wrong-column-count"
        case .notANumber: "not-a-number"
        case .numberOutOfRange: "number-out-of-range"
        case .notATime: "not-a-time"
        case .invalidUTF8: "invalid-utf8"
        case .malformedQuoting: "malformed-quoting"
        case .missingLabel: "missing-label"
        case .unknownClass: "unknown-class"
        case .malformedJSON: "malformed-json"
        case .nestedValue: "nested-value"
        case .notABoolean: "not-a-boolean"
        case .notADate: "not-a-date"
        case .outsideLogarithm: "outside-logarithm"
        }
    }
}

extension RejectReason: CustomStringConvertible {
    /// The reason in words.
    public var description: String {
        switch self {
        case .wrongColumnCount: "the number of fields differs from the header's"
        case .notANumber: "not a number"
        case .numberOutOfRange: "number too large for float32"
        case .notATime: "not a time of day (hhmm)"
        case .invalidUTF8: "not valid UTF-8"
        case .malformedQuoting: "a quote is not closed, or text follows a closing quote"
        case .missingLabel: "the label is missing"
        case .unknownClass: "not one of the classes"
        case .malformedJSON: "not a JSON object"
        case .nestedValue: "an object or array where a value has to be"
        case .notABoolean: "not a truth value (true or false, yes or no, 1 or 0)"
        case .notADate: "not a date or time of ISO 8601"
        case .outsideLogarithm: "log1p needs a number above -1"
        }
    }
}
