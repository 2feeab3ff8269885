/// A test of one value.
///
/// A missing value passes none.
///
/// Numbers are compared as numbers. A text equals a text when their bytes are the same, or when both
/// are numbers and the same number: `4`, `04` and `4.0` are equal.
public enum ValueTest: Sendable, Equatable {
    /// The value is a number of at most this.
    case atMost(Double)
    /// The value is a number of at least this.
    case atLeast(Double)
    /// The value is a number below this.
    case lessThan(Double)
    /// The value is a number above this.
    case greaterThan(Double)
    /// The value is this text, or the same number.
    case equals(String)
    /// The value equals one of these.
    case isIn([String])
}

/// Which rows go a way: what `where` says in a pipeline file.
public enum Condition: Sendable, Equatable {
    /// All tests hold for the value of this column.
    case column(String, [ValueTest])
    /// The row's offset in its source partition leaves the remainder `equals` when divided by
    /// `modulo`. It splits rows that carry nothing to split them by, the same way at every reading.
    case offset(modulo: UInt64, equals: UInt64)
}
