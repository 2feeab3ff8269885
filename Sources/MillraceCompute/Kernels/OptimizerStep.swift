internal import CMillraceKernels

/// What a step of an optimiser does; raw values are those of the C kernels.
package enum OptimizerKind: Int32, Sendable {
    case sgd = 0
    case momentum = 1
    case nesterov = 2
    case adagrad = 3
    case adam = 4
    case ftrl = 5
}

/// The constants of one step of an optimiser; those that its kind does not use are not read.
///
/// - Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1; Duchi,
///   Hazan and Singer, "Adaptive Subgradient Methods", 2011; Sutskever et al., "On the importance of
///   initialization and momentum in deep learning", 2013; McMahan et al., "Ad Click Prediction",
///   2013, algorithm 1; Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.
package struct OptimizerStep: Sendable {
    package var kind: OptimizerKind
    package var rate = 0.0
    /// What the gradient is multiplied by first.
    package var scale = 1.0
    /// Where the gradient is then cut off, in either direction.
    package var limit = Double.infinity
    package var l1 = 0.0
    package var l2 = 0.0
    package var epsilon = 0.0
    /// What a parameter is multiplied by before the step.
    package var decay = 1.0
    package var beta1 = 0.0
    /// `beta1^t` at step t, counted from 1.
    package var power1 = 0.0
    package var beta2 = 0.0
    package var power2 = 0.0
    /// FTRL's alpha and beta.
    package var alpha = 1.0
    package var beta = 1.0

    package init(_ kind: OptimizerKind) { self.kind = kind }

    private var constants: cm_optimizer_step {
        cm_optimizer_step(
            kind: kind.rawValue, rate: Float(rate), scale: Float(scale), limit: Float(limit),
            l1: Float(l1), l2: Float(l2), epsilon: Float(epsilon), decay: Float(decay),
            beta1: Float(beta1), rest1: Float(1 - beta1), correction1: Float(1 / (1 - power1)),
            beta2: Float(beta2), rest2: Float(1 - beta2), correction2: Float(1 / (1 - power2)),
            per_alpha: Float(1 / alpha), beta: Float(beta))
    }

    /// Moves `parameters` in `range` against their gradient.
    ///
    /// `first` is the velocity, mean gradient or FTRL's z, `second` the sum or mean of squared
    /// gradients; either may be empty where the kind has no use for it. The same bits with every
    /// kernel set.
    package func apply(
        _ range: Range<Int>, parameters: inout [Float], gradient: [Float], first: inout [Float],
        second: inout [Float], kernels: KernelSet? = nil
    ) {
        let table = kernels.map(KernelTable.init) ?? .best
        let hasFirst = kind != .sgd && kind != .adagrad
        let hasSecond = kind == .adagrad || kind == .adam || kind == .ftrl
        precondition(
            range.lowerBound >= 0 && range.upperBound <= min(parameters.count, gradient.count)
                && (!hasFirst || range.upperBound <= first.count)
                && (!hasSecond || range.upperBound <= second.count),
            "a range of parameters beyond their end")
        guard !range.isEmpty else { return }
        var step = constants
        let start = range.lowerBound
        // SAFETY: those that the kind uses hold the range, which is not empty; of the others the
        // kernel touches nothing, so their addresses do not matter.
        unsafe parameters.withUnsafeMutableBufferPointer { parameters in
            unsafe gradient.withUnsafeBufferPointer { gradient in
                unsafe first.withUnsafeMutableBufferPointer { first in
                    unsafe second.withUnsafeMutableBufferPointer { second in
                        unsafe table.functions.pointee.optimize(
                            &step, parameters.baseAddress.unsafelyUnwrapped + start,
                            gradient.baseAddress.unsafelyUnwrapped + start,
                            hasFirst ? first.baseAddress.unsafelyUnwrapped + start : nil,
                            hasSecond ? second.baseAddress.unsafelyUnwrapped + start : nil,
                            range.count)
                    }
                }
            }
        }
    }
}
