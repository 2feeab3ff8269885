import MillraceCompute
import MillraceModels
import Testing

/// Single steps on one row, computed by hand.
@Suite struct OptimizerTests {
    /// A regression with feature 2 and label 3 from zero: the gradient is -6 by the weight and -3 by
    /// the bias.
    private func steps(
        _ optimizer: Optimizer, count: Int = 1, _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> (weight: Float, bias: Float) {
        var options = TrainingOptions(.regression, features: 1)
        options.scaledFeatures = [false]
        options.optimizer = optimizer
        change(&options)
        var trainer = try Trainer(options)
        for _ in 0..<count { try trainer.learn([2], [3]) }
        #expect(trainer.steps == count && trainer.rowsSeen == count)
        let layer = try trainer.model().layers[0]
        return (layer.weights[0], layer.bias[0])
    }

    private func expect(
        _ found: (weight: Float, bias: Float), _ weight: Double, _ bias: Double,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            abs(Double(found.weight) - weight) < 1e-6 && abs(Double(found.bias) - bias) < 1e-6,
            "\(found), not \(weight), \(bias)", sourceLocation: sourceLocation)
    }

    @Test func sgd() throws {
        expect(try steps(.sgd(rate: 0.1)), 0.6, 0.3)
        // Error 2 * 0.6 + 0.3 - 3 = -1.5, gradient -3 and -1.5.
        expect(try steps(.sgd(rate: 0.1), count: 2), 0.9, 0.45)
    }

    @Test func momentum() throws {
        let optimizer = Optimizer.momentum(rate: 0.1, momentum: 0.5)
        expect(try steps(optimizer), 0.6, 0.3)
        // Velocity 0.5 * -6 - 3 = -6, and 0.5 * -3 - 1.5 = -3.
        expect(try steps(optimizer, count: 2), 1.2, 0.6)
        // Looking ahead: -6 + 0.5 * -6 = -9 at once.
        expect(try steps(.momentum(rate: 0.1, momentum: 0.5, nesterov: true)), 0.9, 0.45)
    }

    @Test func adagrad() throws {
        expect(try steps(.adagrad(rate: 0.1)), 0.1, 0.1)
        // Error 2 * 0.1 + 0.1 - 3 = -2.7: 5.4 / sqrt(36 + 29.16), 2.7 / sqrt(9 + 7.29).
        expect(try steps(.adagrad(rate: 0.1), count: 2), 0.1 + 0.0668965, 0.1 + 0.0668965)
    }

    /// From algorithm 1 of the paper.
    @Test func adam() throws {
        // m / sqrt(v) = -1 after the corrections.
        expect(try steps(.adam(rate: 0.1)), 0.1, 0.1)
        // Error -2.7, gradient -5.4: m = -1.08, v = 0.065124, and the step is 0.1 times
        // (1.08 / 0.19) / sqrt(0.065124 / 0.001999) = 0.995878.
        expect(try steps(.adam(rate: 0.1), count: 2), 0.1995878, 0.1995878)
    }

    @Test func adamW() throws {
        // As Adam's, after the weight alone is multiplied by 1 - 0.1 * 0.5.
        let optimizer = Optimizer.adamW(rate: 0.1, weightDecay: 0.5)
        expect(try steps(optimizer), 0.1, 0.1)
        expect(try steps(optimizer, count: 2), 0.1 * 0.95 + 0.0995878, 0.1995878)
    }

    /// From algorithm 1 of the paper: n = 36, z = -6, w = (6 - l1) / ((beta + 6) / alpha + l2).
    @Test func ftrl() throws {
        expect(try steps(.ftrl(alpha: 0.5, beta: 1)), 6.0 / 14, 3.0 / 8)
        expect(
            try steps(.ftrl(alpha: 0.5, beta: 1)) {
                $0.regularization = Regularization(l1: 2, l2: 2)
            }, 4.0 / 16, 3.0 / 8)
        expect(
            try steps(.ftrl(alpha: 0.5, beta: 1)) { $0.regularization.l1 = 7 }, 0, 3.0 / 8)
        // Error 2 * 3/7 + 3/8 - 3; sigma = (sqrt(n + g^2) - 6) / 0.5.
        let (weight, bias) = (3.0 / 7, 3.0 / 8)
        let error = 2 * weight + bias - 3
        let gradient = 2 * error
        let root = (36 + gradient * gradient).squareRoot()
        let z = -6 + gradient - (root - 6) / 0.5 * weight
        let rootOfBias = (9 + error * error).squareRoot()
        let zOfBias = -3 + error - (rootOfBias - 3) / 0.5 * bias
        expect(
            try steps(.ftrl(alpha: 0.5, beta: 1), count: 2), -z / ((1 + root) / 0.5),
            -zOfBias / ((1 + rootOfBias) / 0.5))
    }

    @Test func penaltiesAreOnWeightsAlone() throws {
        // Second gradient -3 + 2 * 0.6 and -1.5.
        expect(
            try steps(.sgd(rate: 0.1), count: 2) { $0.regularization.l2 = 2 }, 0.78, 0.45)
        expect(
            try steps(.sgd(rate: 0.1), count: 2) { $0.regularization.l1 = 2 }, 0.7, 0.45)
    }

    @Test func gradientsAreClipped() throws {
        // Length sqrt(45) becomes 1.
        let length = 45.0.squareRoot()
        expect(
            try steps(.sgd(rate: 0.1)) { $0.regularization.clipNorm = 1 }, 0.6 / length,
            0.3 / length)
        expect(try steps(.sgd(rate: 0.1)) { $0.regularization.clipNorm = 7 }, 0.6, 0.3)
        expect(try steps(.sgd(rate: 0.1)) { $0.regularization.clipValue = 4 }, 0.4, 0.3)
    }

    @Test func schedulesAndWarmUp() throws {
        #expect(LearningRateSchedule.constant.factor(step: 1000) == 1)
        #expect(abs(LearningRateSchedule.cosine(steps: 100).factor(step: 50) - 0.5) < 1e-12)
        #expect(LearningRateSchedule.cosine(steps: 100).factor(step: 100) == 0)
        #expect(LearningRateSchedule.inverseSquareRoot(steps: 10).factor(step: 30) == 0.5)
        #expect(LearningRateSchedule.inverseScaling(power: 0.5).factor(step: 3) == 0.5)
        let stepped = LearningRateSchedule.step(steps: 10, factor: 0.5)
        #expect([0, 9, 10, 25].map { stepped.factor(step: $0) } == [1, 1, 0.5, 0.25])
        var options = TrainingOptions(.regression, features: 1)
        options.optimizer = .sgd(rate: 0.4)
        options.warmUpSteps = 4
        options.schedule = stepped
        #expect([0, 1, 3, 4, 10].map { options.rate(step: $0) } == [0.1, 0.2, 0.4, 0.4, 0.2])
        // The second of four warm-up steps has half the rate.
        expect(
            try steps(.sgd(rate: 0.2), count: 2) { $0.warmUpSteps = 2 }, 0.6 + 0.6, 0.3 + 0.3)
    }

    @Test(arguments: [Optimizer.sgd(), .momentum(nesterov: true), .adagrad(), .adamW(), .ftrl()])
    func checkpointsGoOnBitForBit(_ optimizer: Optimizer) throws {
        var draw = Draw(31)
        for mode in UpdateMode.allCases {
            var options = TrainingOptions(.logistic, features: 6)
            options.optimizer = optimizer
            options.mode = mode
            options.regularization = Regularization(l1: 0.001, l2: 0.001, clipNorm: 3)
            if optimizer != .ftrl() { options.schedule = .inverseScaling(power: 0.25) }
            var whole = try Trainer(options)
            var parts = try Trainer(options)
            for _ in 0..<12 {
                let rows = draw.integer(1...20)
                let features = draw.features(rows * 6)
                let targets = (0..<rows).map { _ in Float(draw.integer(0...1)) }
                parts = try Trainer(checkpoint: parts.checkpoint(), options)
                try whole.learn(features, targets)
                try parts.learn(features, targets)
            }
            #expect(whole.checkpoint() == parts.checkpoint(), "\(mode)")
        }
    }
}
