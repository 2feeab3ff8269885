internal import MillraceCompute

/// What a hidden layer applies to each of its sums.
public enum Activation: String, Codable, Sendable, CaseIterable {
    /// The larger of x and 0.
    case relu
    /// x, or x / 100 below zero.
    case leakyReLU
    /// The hyperbolic tangent.
    case tanh
    /// 1 / (1 + exp(-x)).
    case sigmoid
    /// x times the normal distribution function of x.
    case gelu

    var nonlinearity: Nonlinearity {
        switch self {
        case .relu: .relu
        case .leakyReLU: .leakyReLU
        case .tanh: .tanh
        case .sigmoid: .sigmoid
        case .gelu: .gelu
        }
    }
}

/// What becomes of the last layer's sums.
public enum Head: String, Codable, Sendable, CaseIterable {
    /// Nothing: they are the predictions.
    case identity
    /// The probability of the positive class, from one sum.
    case sigmoid
    /// The probabilities of all classes, which add up to 1.
    case softmax
    /// The probability of each class against all others, divided by their sum.
    case oneVsRest
    /// The classifier's sums as they are: the largest names the class; of one sum, its sign.
    case scores

    /// How many classes predictions of `outputWidth` numbers tell apart; 0 for a regression.
    package func classCount(outputWidth: Int) -> Int {
        switch self {
        case .identity: 0
        case .sigmoid: 2
        case .softmax, .oneVsRest: outputWidth
        case .scores: outputWidth == 1 ? 2 : outputWidth
        }
    }

    /// The most likely class by the probabilities or scores of all, the first of several; one score
    /// tells two classes apart by its sign.
    package static func mostLikelyClass(_ outputs: [Float]) -> Int {
        if outputs.count == 1 { return outputs[0] > 0 ? 1 : 0 }
        var best = 0
        for index in outputs.indices where outputs[index] > outputs[best] { best = index }
        return best
    }

    var nonlinearity: Nonlinearity { self == .sigmoid || self == .oneVsRest ? .sigmoid : .identity }

    var last: NetworkHead {
        switch self {
        case .identity, .sigmoid, .scores: .none
        case .softmax: .softmax
        case .oneVsRest: .shares
        }
    }
}
