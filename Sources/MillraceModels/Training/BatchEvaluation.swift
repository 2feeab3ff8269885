internal import Glibc

/// How well one mini-batch was predicted before it was learnt from.
public struct BatchEvaluation: Sendable, Equatable {
    /// How many rows the batch had.
    public internal(set) var rows = 0
    /// The sum of the rows' losses: log-loss, or half the squared error of a regression.
    public internal(set) var lossSum = 0.0
    /// How many rows' most probable class was right; 0 for a regression.
    public internal(set) var correct = 0
    /// The sum of the distances of predicted from true numbers; 0 for a classification.
    public internal(set) var distanceSum = 0.0

    /// The mean loss; NaN for an empty batch.
    public var loss: Double { lossSum / Double(rows) }
    /// The share of rows that were right; NaN for an empty batch.
    public var accuracy: Double { Double(correct) / Double(rows) }
}

extension Objective {
    /// Whether a row can have this label.
    package func accepts(_ label: Float) -> Bool {
        guard label.isFinite else { return false }
        return classes == 0 || (label >= 0 && label < Float(classes) && label == label.rounded())
    }

    /// Loss, prediction and derivative of the batch's rows, from their logits.
    ///
    /// `delta` becomes the derivative of the mean loss by the logits. Losses come from logits, never
    /// from rounded probabilities, in double. All three arrays are `[rows, outputs]` and may be
    /// longer.
    func evaluate(
        _ logits: [Float], labels: Span<Float>, rows: Int, outputs: inout [Float],
        delta: inout [Float]
    ) -> BatchEvaluation {
        var evaluation = BatchEvaluation()
        evaluation.rows = rows
        let share = 1 / Double(rows)
        for row in 0..<rows {
            switch self {
            case .regression:
                let error = Double(logits[row]) - Double(labels[row])
                evaluation.lossSum += 0.5 * error * error
                evaluation.distanceSum += abs(error)
                outputs[row] = logits[row]
                delta[row] = Float(error * share)
            case .logistic:
                let positive = labels[row] == 1
                let x = Double(logits[row])
                let margin = positive ? x : -x
                let tail = exp(-abs(x))
                evaluation.lossSum += max(-margin, 0) + log1p(tail)
                evaluation.correct += (x > 0) == positive ? 1 : 0
                // The probability of the wrong answer keeps its precision however small it gets.
                let wrong = (margin >= 0 ? tail : 1) / (1 + tail)
                outputs[row] = Float((x >= 0 ? 1 : tail) / (1 + tail))
                delta[row] = Float((positive ? -wrong : wrong) * share)
            case .softmax(let classes):
                let target = row * classes + Int(labels[row])
                let places = row * classes..<(row + 1) * classes
                var best = places.lowerBound
                for i in places where logits[i] > logits[best] { best = i }
                let largest = Double(logits[best])
                var sum = 0.0
                for i in places { sum += exp(Double(logits[i]) - largest) }
                evaluation.lossSum += log(sum) + largest - Double(logits[target])
                evaluation.correct += best == target ? 1 : 0
                for i in places {
                    let p = exp(Double(logits[i]) - largest) / sum
                    outputs[i] = Float(p)
                    delta[i] = Float((i == target ? p - 1 : p) * share)
                }
            }
        }
        return evaluation
    }
}
