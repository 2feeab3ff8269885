internal import Glibc

/// What a wrong prediction costs; all are computed from the last layer's sums, never from rounded
/// probabilities.
public enum Loss: Sendable, Codable, Equatable {
    /// Half the squared error of a regression.
    case squared
    /// Half the squared error up to `delta`, and beyond it linear: outliers pull less.
    ///
    /// - Source: Huber, "Robust Estimation of a Location Parameter", 1964.
    case huber(delta: Double)
    /// Minus the logarithm of the probability that a sigmoid gives to the true one of two classes.
    case logistic
    /// Minus the logarithm of the probability that a softmax gives to the true class.
    case crossEntropy

    /// Whether a model with this objective can be judged by it.
    public func fits(_ objective: Objective) -> Bool {
        switch (self, objective) {
        case (.squared, .regression), (.huber, .regression), (.logistic, .logistic),
            (.crossEntropy, .softmax):
            true
        default: false
        }
    }

    func check() throws(ModelError) {
        if case .huber(let delta) = self, !(delta.isFinite && delta > 0) {
            throw ModelError(
                .invalidOption, "a Huber loss with delta \(delta), which must be above 0")
        }
    }
}

extension Objective {
    /// The loss that is meant when none is named.
    public var standardLoss: Loss {
        switch self {
        case .regression: .squared
        case .logistic: .logistic
        case .softmax: .crossEntropy
        }
    }
}

extension Loss {
    /// The loss of a row whose prediction, after the head, is known in float32.
    ///
    /// A probability of exactly 0 costs what the smallest float32 would.
    package func ofPrediction(_ outputs: ArraySlice<Float>, label: Float) -> Double {
        let first = Double(outputs[outputs.startIndex])
        switch self {
        case .squared: return 0.5 * (first - Double(label)) * (first - Double(label))
        case .huber(let delta):
            let error = abs(first - Double(label))
            return error > delta ? delta * (error - delta / 2) : 0.5 * error * error
        case .logistic:
            return -log(max(label == 1 ? first : 1 - first, Double(Float.leastNonzeroMagnitude)))
        case .crossEntropy:
            let p = Double(outputs[outputs.startIndex + Int(label)])
            return -log(max(p, Double(Float.leastNonzeroMagnitude)))
        }
    }
}
