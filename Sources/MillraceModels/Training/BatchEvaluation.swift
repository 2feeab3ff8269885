package import MillraceCompute

/// How well some rows were predicted before they were learnt from.
public struct BatchEvaluation: Sendable, Equatable {
    /// How many rows there were.
    public internal(set) var rows = 0
    /// The sum of the rows' losses, each with its weight.
    public internal(set) var lossSum = 0.0
    /// The sum of the rows' weights.
    public internal(set) var weightSum = 0.0
    /// The sum of the rows' losses, whatever their weights.
    public internal(set) var plainLossSum = 0.0
    /// How many rows' most probable class was right; 0 for a regression.
    public internal(set) var correct = 0
    /// The sum of the distances of predicted from true numbers; 0 for a classification.
    public internal(set) var distanceSum = 0.0

    /// The sum of the squared distances of predicted from true numbers; 0 for a classification.
    public internal(set) var squareSum = 0.0

    /// Of no rows.
    package init() {}

    /// The weighted mean of the losses; NaN without rows.
    public var loss: Double { lossSum / weightSum }
    /// The share of rows that were right; NaN without rows.
    public var accuracy: Double { Double(correct) / Double(rows) }

    fileprivate mutating func take(_ losses: RowLosses.Found) {
        plainLossSum = losses.plain
        lossSum = losses.weighted
        correct = losses.right
    }

    /// Adds what was found of other rows.
    package mutating func add(_ other: BatchEvaluation) {
        rows += other.rows
        lossSum += other.lossSum
        weightSum += other.weightSum
        plainLossSum += other.plainLossSum
        correct += other.correct
        distanceSum += other.distanceSum
        squareSum += other.squareSum
    }
}

extension Objective {
    /// Whether a row can have this label.
    package func accepts(_ label: Float) -> Bool {
        guard classes > 0 else { return label.isFinite }
        return label >= 0 && label < Float(classes) && label == Float(Int(label))
    }

    /// The first of the first `rows` labels that a row cannot have.
    package func firstRefused(_ labels: Span<Float>, rows: Int) -> Int? {
        if classes > 0, RowLosses.labelsOutside(labels, rows: rows, classes: classes) == 0 {
            return nil
        }
        return (0..<rows).first { !accepts(labels[$0]) }
    }
}

/// Judges sums of a last layer, with the kernels of a set.
package struct LossFunction: Sendable {
    let objective: Objective
    let loss: Loss
    private let kernels: KernelSet

    /// The loss that the options ask for.
    package init(_ options: TrainingOptions, kernels: KernelSet) {
        objective = options.objective
        loss = options.loss
        self.kernels = kernels
    }

    /// What becomes of rows.
    ///
    /// Predictions `outputs` and `delta`, the derivative of the weighted sum of the losses by the
    /// logits, are `[rows, outputs]`, and may be longer.
    package struct Judgement: Sendable {
        package var outputs: [Float] = []
        package var delta: [Float] = []

        package init() {}

        /// Makes room for rows.
        package mutating func reserve(rows: Int, width: Int) {
            guard outputs.count < rows * width else { return }
            outputs = [Float](repeating: 0, count: rows * width)
            delta = outputs
        }
    }

    /// Loss, prediction and derivative of rows, from their logits.
    ///
    /// A logistic loss leaves `delta` as it is where that is not wanted.
    /// `factors` are the weights, empty for 1. Losses come from logits, never from rounded
    /// probabilities, in double. Logits are `[rows, outputs]` and may be longer; labels are those
    /// that the objective accepts.
    package func evaluate(
        _ logits: [Float], labels: Span<Float>, factors: [Float], rows: Int,
        wantsDelta: Bool = true, into judgement: inout Judgement
    ) -> BatchEvaluation {
        var evaluation = BatchEvaluation()
        evaluation.rows = rows
        if factors.isEmpty {
            evaluation.weightSum = Double(rows)
        } else {
            for row in 0..<rows { evaluation.weightSum += Double(factors[row]) }
        }
        judgement.reserve(rows: rows, width: objective.outputs)
        switch objective {
        case .logistic:
            evaluation.take(
                RowLosses.logistic(
                    logits, labels: labels, factors: factors, rows: rows,
                    outputs: &judgement.outputs, delta: &judgement.delta, wantsDelta: wantsDelta,
                    kernels))
        case .softmax(let classes):
            evaluation.take(
                RowLosses.softmax(
                    logits, classes: classes, labels: labels, factors: factors, rows: rows,
                    outputs: &judgement.outputs, delta: &judgement.delta, kernels))
        case .regression:
            for row in 0..<rows {
                judge(
                    row, Double(logits[row]), label: Double(labels[row]),
                    factor: factors.isEmpty ? 1 : Double(factors[row]), &judgement, &evaluation)
            }
        }
        return evaluation
    }

    /// Judges a predicted number.
    private func judge(
        _ row: Int, _ x: Double, label: Double, factor: Double, _ judgement: inout Judgement,
        _ evaluation: inout BatchEvaluation
    ) {
        let error = x - label
        evaluation.distanceSum += abs(error)
        evaluation.squareSum += error * error
        judgement.outputs[row] = Float(x)
        var (cost, slope) = (0.5 * error * error, error)
        if case .huber(let delta) = loss, abs(error) > delta {
            cost = delta * (abs(error) - delta / 2)
            slope = error > 0 ? delta : -delta
        }
        judgement.delta[row] = Float(slope * factor)
        evaluation.plainLossSum += cost
        evaluation.lossSum += cost * factor
    }
}
