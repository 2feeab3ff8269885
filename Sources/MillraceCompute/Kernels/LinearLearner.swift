internal import CMillraceKernels

/// The losses of rows that are learnt one by one; raw values are those of the C kernels.
package enum RowLoss: Int32, Sendable {
    case squared = 0
    case huber = 1
    case logistic = 2
}

/// A linear model of one output that learns row by row, by plain SGD.
///
/// A weight is `scale` times its element of `weights`, so that the decay of all weights by L2 costs
/// one multiplication, in double.
/// - Source: the order of operations of scikit-learn's SGDClassifier and SGDRegressor.
package struct LinearLearner: Sendable, Equatable {
    /// What does not change while rows are learnt.
    package struct Settings: Sendable {
        package var loss: RowLoss
        /// The error from which Huber's loss is linear.
        package var huber = 1.0
        package var l1 = 0.0
        package var l2 = 0.0
        /// The largest slope of the loss that counts.
        package var limit = Double.infinity

        package init(_ loss: RowLoss) { self.loss = loss }
    }

    package var weights: [Float]
    package var bias = 0.0
    package var scale = 1.0
    /// The L1 penalty that every weight could have had so far.
    package var penalty = 0.0
    /// The L1 penalty that each weight has had.
    package var paid: [Double]

    package init(width: Int) {
        weights = [Float](repeating: 0, count: width)
        paid = [Double](repeating: 0, count: width)
    }

    /// The weights with the factor in them.
    package var folded: [Float] { weights.map { Float(Double($0) * scale) } }

    /// Predicts rows one by one, taking a step of SGD after each.
    ///
    /// Returns how many rows were learnt: fewer than `rows` when a prediction was not finite.
    /// `found` gets each row's prediction from before its step and, where `measures`, the moments of
    /// all rows as they came.
    /// - Complexity: O(rows · width).
    package mutating func learn(
        _ settings: Settings, rate: Double, _ source: borrowing RowSource, rows: Range<Int>,
        measures: Bool, into found: inout Learnt, kernels: KernelSet? = nil
    ) -> Int {
        let width = weights.count
        let table = kernels.map(KernelTable.init) ?? .best
        source.check(rows, width: width)
        precondition(paid.count == width && found.moments.count.count == width, "other widths")
        guard !rows.isEmpty else { return 0 }
        found.reserve(rows.upperBound, unsafe table.functions.pointee.learn_scratch(width))
        var learner = unsafe cm_linear_learner()
        unsafe learner.loss = settings.loss.rawValue
        unsafe learner.huber = settings.huber
        unsafe learner.rate = rate
        unsafe learner.l1 = settings.l1
        unsafe learner.l2 = settings.l2
        unsafe learner.limit = settings.limit
        unsafe learner.scale = scale
        unsafe learner.bias = bias
        unsafe learner.penalty = penalty
        let first = rows.lowerBound
        let ownsPenalties = settings.l1 != 0
        // SAFETY: the source holds the rows, `found` a sum for each and the scratch memory that the
        // kernel asks for; the penalties of weights are touched only where there are any.
        let learnt = unsafe source.withPointers(from: first, count: rows.count) { rows in
            var rows = unsafe rows
            return unsafe weights.withUnsafeMutableBufferPointer { weights in
                unsafe learner.weights = weights.baseAddress
                return unsafe found.withPointers { moments, sums, scratch in
                    if measures {
                        unsafe rows.count = moments.count
                        unsafe rows.mean = moments.mean
                        unsafe rows.squares = moments.squares
                    }
                    guard ownsPenalties else {
                        return unsafe table.functions.pointee.learn_rows(
                            &learner, &rows, sums + first, scratch)
                    }
                    return unsafe paid.withUnsafeMutableBufferPointer { paid in
                        unsafe learner.paid = paid.baseAddress
                        return unsafe table.functions.pointee.learn_rows(
                            &learner, &rows, sums + first, scratch)
                    }
                }
            }
        }
        scale = unsafe learner.scale
        bias = unsafe learner.bias
        penalty = unsafe learner.penalty
        return Int(learnt)
    }
}
