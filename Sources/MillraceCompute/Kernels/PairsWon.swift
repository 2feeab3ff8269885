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
    package init(scores: [Float], positives: [Bool], kernels: KernelSet? = nil) {
        let count = scores.count
        precondition(
            positives.count == count && count < UInt32.max,
            "a score and an outcome for each row, counted in 32 bits")
        let table = kernels.map(KernelTable.init) ?? .best
        var memory = [UInt32](repeating: 0, count: 2 * count)
        // SAFETY: both arrays have as many elements as are asked for, and the memory twice as many.
        let won = unsafe memory.withUnsafeMutableBufferPointer { memory in
            unsafe scores.withUnsafeBufferPointer { scores in
                unsafe positives.withUnsafeBufferPointer { positives in
                    guard let first = memory.baseAddress else { return cm_pairs_won() }
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
