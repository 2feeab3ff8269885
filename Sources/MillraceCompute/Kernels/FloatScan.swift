internal import CMillraceKernels

/// Searches among many floats.
///
/// - Complexity: O(values), many at a time.
package enum FloatScan {
    /// Whether one of the numbers is infinite; NaN is not.
    package static func hasInfinity(_ values: Span<Float>) -> Bool {
        // SAFETY: the buffer has as many elements as are asked for.
        unsafe values.withUnsafeBufferPointer { values in
            unsafe KernelTable.best.functions.pointee.has_infinity(
                values.baseAddress, values.count) != 0
        }
    }

    /// Whether all are finite: none infinite, none NaN.
    package static func areFinite(_ values: Span<Float>) -> Bool {
        // SAFETY: the buffer has as many elements as are asked for.
        unsafe values.withUnsafeBufferPointer { values in
            unsafe KernelTable.best.functions.pointee.are_finite(
                values.baseAddress, values.count) != 0
        }
    }
}
