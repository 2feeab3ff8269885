internal import CMillraceKernels

/// Sorting of numbers.
package enum KeySort {
    /// Sorts keys, the least first.
    ///
    /// - Complexity: O(n); memory for as many keys.
    package static func sort(_ keys: inout [UInt32]) {
        precondition(keys.count < UInt32.max, "more keys than places can be counted in 32 bits")
        var spare = keys
        // SAFETY: both arrays have as many elements.
        unsafe keys.withUnsafeMutableBufferPointer { keys in
            unsafe spare.withUnsafeMutableBufferPointer { spare in
                guard let first = keys.baseAddress, let other = spare.baseAddress else { return }
                unsafe cm_sort_keys(first, other, keys.count)
            }
        }
    }
}
