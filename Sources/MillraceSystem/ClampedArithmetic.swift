/// Sums and differences of numbers that come from files and users, which may be any.
extension FixedWidthInteger {
    /// The sum, or the end of the type that it would be beyond.
    package func adding(clamped other: Self) -> Self {
        let (sum, isBeyond) = addingReportingOverflow(other)
        return isBeyond ? (other < 0 ? .min : .max) : sum
    }

    /// The difference, or the end of the type that it would be beyond.
    package func subtracting(clamped other: Self) -> Self {
        let (difference, isBeyond) = subtractingReportingOverflow(other)
        return isBeyond ? (other < 0 ? .max : .min) : difference
    }

    /// The product, or the end of the type that it would be beyond.
    package func multiplied(clamped other: Self) -> Self {
        let (product, isBeyond) = multipliedReportingOverflow(by: other)
        return isBeyond ? ((self < 0) == (other < 0) ? .max : .min) : product
    }
}
