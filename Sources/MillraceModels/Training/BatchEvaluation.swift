internal import Glibc

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

    /// The weighted mean of the losses; NaN without rows.
    public var loss: Double { lossSum / weightSum }
    /// The share of rows that were right; NaN without rows.
    public var accuracy: Double { Double(correct) / Double(rows) }

    mutating func add(_ other: BatchEvaluation) {
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
        guard label.isFinite else { return false }
        return classes == 0 || (label >= 0 && label < Float(classes) && label == label.rounded())
    }
}

/// Judges sums of a last layer.
package struct LossFunction: Sendable {
    let objective: Objective
    let loss: Loss

    /// The loss that the options ask for.
    package init(_ options: TrainingOptions) {
        objective = options.objective
        loss = options.loss
    }

    /// Loss, prediction and derivative of rows, from their logits.
    ///
    /// `delta` becomes the derivative of the weighted sum of the losses by the logits; `factors` are
    /// the weights, empty for 1. Losses come from logits, never from rounded probabilities, in
    /// double. Logits, outputs and delta are `[rows, outputs]` and may be longer.
    package func evaluate(
        _ logits: [Float], labels: Span<Float>, factors: [Float], rows: Int,
        outputs: inout [Float], delta: inout [Float]
    ) -> BatchEvaluation {
        var evaluation = BatchEvaluation()
        evaluation.rows = rows
        for row in 0..<rows {
            let factor = factors.isEmpty ? 1 : Double(factors[row])
            let cost: Double
            if case .softmax(let classes) = objective {
                let places = row * classes..<(row + 1) * classes
                let target = places.lowerBound + Int(labels[row])
                cost = Self.crossEntropy(
                    logits, places, target: target, factor: factor, outputs: &outputs,
                    delta: &delta, correct: &evaluation.correct)
            } else {
                let (found, output, slope) = judge(
                    Double(logits[row]), label: labels[row], &evaluation)
                cost = found
                outputs[row] = output
                delta[row] = Float(slope * factor)
            }
            evaluation.plainLossSum += cost
            evaluation.lossSum += cost * factor
            evaluation.weightSum += factor
        }
        return evaluation
    }

    /// Loss, prediction and derivative of a row with one output.
    private func judge(
        _ x: Double, label: Float, _ evaluation: inout BatchEvaluation
    ) -> (loss: Double, output: Float, slope: Double) {
        if objective == .logistic {
            let positive = label == 1
            let margin = positive ? x : -x
            let tail = exp(-abs(x))
            evaluation.correct += (x > 0) == positive ? 1 : 0
            // The probability of the wrong answer keeps its precision however small it gets.
            let wrong = (margin >= 0 ? tail : 1) / (1 + tail)
            return (
                max(-margin, 0) + log1p(tail), Float((x >= 0 ? 1 : tail) / (1 + tail)),
                positive ? -wrong : wrong
            )
        }
        let error = x - Double(label)
        evaluation.distanceSum += abs(error)
        evaluation.squareSum += error * error
        if case .huber(let delta) = loss, abs(error) > delta {
            return (
                delta * (abs(error) - delta / 2), Float(x), error > 0 ? delta : -delta
            )
        }
        return (0.5 * error * error, Float(x), error)
    }

    private static func crossEntropy(
        _ logits: [Float], _ places: Range<Int>, target: Int, factor: Double,
        outputs: inout [Float], delta: inout [Float], correct: inout Int
    ) -> Double {
        var best = places.lowerBound
        for i in places where logits[i] > logits[best] { best = i }
        let largest = Double(logits[best])
        var sum = 0.0
        for i in places { sum += exp(Double(logits[i]) - largest) }
        correct += best == target ? 1 : 0
        for i in places {
            let p = exp(Double(logits[i]) - largest) / sum
            outputs[i] = Float(p)
            delta[i] = Float((i == target ? p - 1 : p) * factor)
        }
        return log(sum) + largest - Double(logits[target])
    }
}
