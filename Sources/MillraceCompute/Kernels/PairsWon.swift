internal import CMillraceKernels

/// How often positive rows have higher scores than negative ones.
package struct PairsWon {
    package let positives: Int
    package let negatives: Int
    /// Twice the number of pairs that a positive row wins; a tie is half a win.
    package let twice: UInt64

    /// Counts pairs; every kernel set counts the same.
    ///
    /// A score that is no number has a place of its own among the others.
    /// - Complexity: O(rows); memory for two numbers a row.
    package init(scores: Span<Float>, positives: Span<Bool>, kernels: KernelSet? = nil) {
        let count = scores.count
        precondition(
            positives.count == count && count < UInt32.max,
            "a score and an outcome for each row, counted in 32 bits")
        let table = kernels.map(KernelTable.init) ?? .best
        // SAFETY: both spans have as many elements as are asked for, and the memory, which the kernel
        // fills before it reads it, twice as many.
        let won = unsafe withUnsafeTemporaryAllocation(
            of: UInt32.self, capacity: max(2 * count, 1)
        ) { memory in
            unsafe scores.withUnsafeBufferPointer { scores in
                unsafe positives.withUnsafeBufferPointer { positives in
                    let first = unsafe memory.baseAddress.unsafelyUnwrapped
                    return unsafe table.functions.pointee.count_pairs(
                        scores.baseAddress, positives.baseAddress, count, first, first + count)
                }
            }
        }
        self.positives = Int(won.positives)
        negatives = Int(won.negatives)
        twice = won.twice
    }
}
