internal import MillraceCompute

/// How weights follow from gradients, with the constants that belong to it.
public enum Optimizer: Sendable, Codable, Equatable {
    /// Plain stochastic gradient descent.
    case sgd(rate: Double = 0.01)
    /// A velocity that decays by `momentum` each step, as PyTorch's SGD has it; by Nesterov's
    /// variant the step looks ahead along it.
    ///
    /// - Source: Sutskever et al., "On the importance of initialization and momentum in deep
    ///   learning", 2013.
    case momentum(rate: Double = 0.01, momentum: Double = 0.9, nesterov: Bool = false)
    /// Each parameter's rate falls with the sum of its squared gradients.
    ///
    /// - Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods", 2011.
    case adagrad(rate: Double = 0.01, epsilon: Double = 1e-10)
    /// Mean gradient over the root of the mean squared gradient, both corrected for their start.
    ///
    /// - Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.
    case adam(
        rate: Double = 0.01, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8)
    /// Adam with a decay of the weights (not the biases) that is no part of the gradient.
    ///
    /// - Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.
    case adamW(
        rate: Double = 0.01, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
        weightDecay: Double = 0.01)
    /// FTRL-Proximal, for linear models: with `l1` most weights stay exactly zero.
    ///
    /// Its rate follows from the gradients: a schedule other than constant is refused.
    /// - Source: McMahan et al., "Ad Click Prediction: a View from the Trenches", 2013.
    case ftrl(alpha: Double = 0.1, beta: Double = 1)

    /// The learning rate; FTRL's alpha.
    public var rate: Double {
        switch self {
        case .sgd(let rate), .momentum(let rate, _, _), .adagrad(let rate, _),
            .adam(let rate, _, _, _), .adamW(let rate, _, _, _, _), .ftrl(let rate, _):
            rate
        }
    }

    /// The same with another rate.
    public func with(rate: Double) -> Optimizer {
        switch self {
        case .sgd: .sgd(rate: rate)
        case .momentum(_, let momentum, let nesterov):
            .momentum(rate: rate, momentum: momentum, nesterov: nesterov)
        case .adagrad(_, let epsilon): .adagrad(rate: rate, epsilon: epsilon)
        case .adam(_, let beta1, let beta2, let epsilon):
            .adam(rate: rate, beta1: beta1, beta2: beta2, epsilon: epsilon)
        case .adamW(_, let beta1, let beta2, let epsilon, let weightDecay):
            .adamW(
                rate: rate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
        case .ftrl(_, let beta): .ftrl(alpha: rate, beta: beta)
        }
    }

    /// Whether it keeps a velocity, mean gradient or FTRL's z of each parameter.
    var hasFirst: Bool {
        switch self {
        case .sgd, .adagrad: false
        default: true
        }
    }

    /// Whether it keeps a sum or mean of squared gradients of each parameter.
    var hasSecond: Bool {
        switch self {
        case .sgd, .momentum: false
        default: true
        }
    }

    /// Whether what it keeps are sums over its life, and not means of the newest gradients.
    var sumsUp: Bool {
        switch self {
        case .adagrad, .ftrl: true
        default: false
        }
    }

    /// The constants of a step, all but those that depend on when it is and on what.
    var step: OptimizerStep {
        var step: OptimizerStep
        switch self {
        case .sgd: step = OptimizerStep(.sgd)
        case .momentum(_, let momentum, let nesterov):
            step = OptimizerStep(nesterov ? .nesterov : .momentum)
            step.beta1 = momentum
        case .adagrad(_, let epsilon):
            step = OptimizerStep(.adagrad)
            step.epsilon = epsilon
        case .adam(_, let beta1, let beta2, let epsilon),
            .adamW(_, let beta1, let beta2, let epsilon, _):
            step = OptimizerStep(.adam)
            step.beta1 = beta1
            step.beta2 = beta2
            step.epsilon = epsilon
        case .ftrl(let alpha, let beta):
            step = OptimizerStep(.ftrl)
            step.alpha = alpha
            step.beta = beta
        }
        return step
    }

    var weightDecay: Double {
        if case .adamW(_, _, _, _, let decay) = self { decay } else { 0 }
    }

    func check() throws(ModelError) {
        let share = 0.0..<1.0
        var isPossible = rate.isFinite && rate > 0 && rate <= 1000
        switch self {
        case .sgd: break
        case .momentum(_, let momentum, _): isPossible = isPossible && share.contains(momentum)
        case .adagrad(_, let epsilon):
            isPossible = isPossible && epsilon.isFinite && Float(epsilon) > 0
        case .adam(_, let beta1, let beta2, let epsilon):
            isPossible =
                isPossible && share.contains(beta1) && share.contains(beta2) && epsilon.isFinite
                && Float(epsilon) > 0
        case .adamW(_, let beta1, let beta2, let epsilon, let decay):
            isPossible =
                isPossible && share.contains(beta1) && share.contains(beta2) && epsilon.isFinite
                && Float(epsilon) > 0 && decay >= 0 && decay * rate < 1
        case .ftrl(_, let beta): isPossible = isPossible && beta.isFinite && beta >= 0
        }
        guard isPossible else {
            throw ModelError(
                .invalidOption, "the optimiser \(self): a constant is out of its range")
        }
    }
}
