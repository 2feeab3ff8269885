import Foundation
import MillraceCompute
import MillraceModels
import MillraceSystem
import Testing

/// Rows that are learnt one by one, beside their definition in double.
@Suite struct SequentialKernelTests {
    struct Learning: CustomTestStringConvertible {
        var loss: RowLoss
        var l2 = 0.0
        var width: Int
        var rate = 0.02
        var missing = 0.0
        var isStandardised = false
        var testDescription: String {
            "\(loss), l2 \(l2), \(width) features, \(missing) missing, rate \(rate)"
                + (isStandardised ? ", standardised" : "")
        }
    }

    private static let learnings =
        [RowLoss.squared, .huber, .logistic].flatMap { loss in
            // The last one takes the common factor below its limit within the rows.
            [0, 0.01, 40].flatMap { l2 in
                [1, 8, 15, 16, 31, 64, 100].map { Learning(loss: loss, l2: l2, width: $0) }
            }
        }
        + [1, 15, 16, 17, 64, 79, 130].flatMap { width in
            [0, 0.1].flatMap { missing in
                [false, true].map {
                    Learning(
                        loss: .logistic, width: width, missing: missing, isStandardised: $0)
                }
            }
        }
        // Steps so large that a row's prediction moves far by the one before it.
        + [8, 64].map { Learning(loss: .logistic, width: $0, rate: 0.7) }

    /// Random rows, and how they become the model's input.
    private struct Rows {
        let width: Int
        let stride: Int
        let count: Int
        var features: [Float]
        var labels: [Float] = []
        var factors: [Float] = []
        var stage: Conditioning

        init(_ learning: Learning, count: Int = 120) {
            var random = SplitMix64(seed: 15)
            func number() -> Float { Float(2 * random.unit() - 1) }
            let width = learning.width
            self.width = width
            self.count = count
            stride = width + 3
            features = [Float](repeating: .nan, count: count * stride)
            for row in 0..<count {
                for i in 0..<width where random.unit() >= learning.missing {
                    features[row * stride + i] = number()
                }
                labels.append(number() + (features[row * stride].isNaN ? 0 : 1) > 0.5 ? 1 : 0)
                factors.append(abs(number()))
            }
            let zeros = [Float](repeating: 0, count: width)
            stage = Conditioning(
                impute: zeros.map { _ in number() }, mean: zeros,
                limit: zeros.map { _ in .infinity }, scale: zeros.map { _ in 1 })
            if learning.isStandardised {
                stage = Conditioning(
                    impute: stage.impute, mean: zeros.map { _ in number() / 4 },
                    limit: zeros.map { _ in 0.9 }, scale: zeros.map { _ in 1.5 + number() / 3 })
            }
        }

        /// The model's input of a row, in double.
        func input(_ row: Int) -> [Double] {
            (0..<width).map { i in
                let value = features[row * stride + i]
                let there = (value.isNaN ? stage.impute[i] : value) - stage.mean[i]
                let cut = min(max(there, -stage.limit[i]), stage.limit[i])
                return Double(cut) * Double(stage.scale[i])
            }
        }

        func learn(
            _ learner: inout LinearLearner, _ settings: LinearLearner.Settings, rate: Double,
            _ part: Range<Int>, into found: inout Learnt, _ kernels: KernelSet,
            measures: Bool = true
        ) -> Int {
            learner.learn(
                settings, rate: rate,
                RowSource(
                    stage, features.span, stride: stride, labels: labels.span,
                    factors: factors.span), rows: part, measures: measures, into: &found,
                kernels: kernels)
        }
    }

    @Test(arguments: KernelSet.available, learnings)
    func rowsAreLearntAsByTheirDefinition(_ kernels: KernelSet, _ learning: Learning) {
        let rows = Rows(learning)
        let (width, rate) = (learning.width, learning.rate)
        var settings = LinearLearner.Settings(learning.loss)
        settings.huber = 0.3
        settings.l2 = learning.l2
        settings.limit = 0.8
        var learner = LinearLearner(width: width)
        var found = Learnt(width: width)
        // In parts, with all steps made in between.
        for part in [0..<50, 50..<51, 51..<rows.count] {
            #expect(
                rows.learn(&learner, settings, rate: rate, part, into: &found, kernels)
                    == part.count)
            // The same bits as those that are taken by themselves.
            let start = part.lowerBound * rows.stride
            #expect(
                found.moments
                    == ColumnMoments(
                        rows.features.span.extracting(start...), rows: part.count, width: width,
                        stride: rows.stride, kernels: kernels))
        }
        var weights = [Double](repeating: 0, count: width)
        var bias = 0.0
        for row in 0..<rows.count {
            let features = rows.input(row)
            let sum = zip(features, weights).reduce(bias) { $0 + $1.0 * $1.1 }
            #expect(abs(Double(found.sums[row]) - sum) < 2e-5 * max(1, rate / 0.1))
            let label = Double(rows.labels[row])
            var slope: Double
            switch learning.loss {
            case .logistic: slope = 1 / (1 + exp(-sum)) - label
            case .squared: slope = sum - label
            case .huber: slope = min(max(sum - label, -0.3), 0.3)
            }
            slope = min(max(slope, -0.8), 0.8)
            let update = -rate * slope * Double(rows.factors[row])
            for i in 0..<width {
                weights[i] = weights[i] * (1 - rate * learning.l2) + update * features[i]
            }
            bias += update
        }
        for (found, expected) in zip(learner.folded, weights) {
            #expect(abs(Double(found) - expected) < 1e-5 * max(1, rate / 0.1))
        }
        #expect(abs(learner.bias - bias) < 1e-5)
    }

    /// A batch that is learnt at once: the model's input, and what is known of the columns.
    @Test(arguments: KernelSet.available, [0, 0.1])
    func batchesAreMadeReadyInOnePass(_ kernels: KernelSet, missing: Double) {
        for width in [1, 15, 16, 17, 64, 79] {
            for (count, isStandardised) in [(1, true), (3, false), (4, true), (77, true)] {
                let rows = Rows(
                    Learning(
                        loss: .logistic, width: width, missing: missing,
                        isStandardised: isStandardised), count: count)
                var found = Learnt(width: width)
                var input: [Float] = []
                found.prepare(
                    RowSource(
                        rows.stage, rows.features.span, stride: rows.stride,
                        labels: rows.labels.span, factors: rows.factors.span), rows: count,
                    measures: true, into: &input, kernels)
                for row in 0..<count {
                    for (i, expected) in rows.input(row).enumerated() {
                        #expect(input[row * width + i] == Float(expected))
                    }
                }
                #expect(
                    found.moments
                        == ColumnMoments(
                            rows.features.span, rows: count, width: width, stride: rows.stride,
                            kernels: kernels))
            }
        }
    }

    /// The probability that a step follows is as exact in the tails as in between.
    @Test(arguments: KernelSet.available)
    func slopesAreRelativelyExactInBothTails(_ kernels: KernelSet) {
        for log in stride(from: -80.0, through: 80, by: 0.37) {
            // By themselves, and the last of those that are learnt together.
            for (label, rows): (Float, Int) in [(0, 2), (1, 2), (0, 4), (1, 4)] {
                var learner = LinearLearner(width: 1)
                learner.weights[0] = Float(log)
                var found = Learnt(width: 1)
                let stage = Conditioning(impute: [0], mean: [0], limit: [.infinity], scale: [1])
                // A row that changes nothing but the bias, after some that change nothing.
                let x = [Float](repeating: 1, count: rows)
                let labels = [Float](repeating: label, count: rows)
                let factors = x.indices.map { Float($0 == rows - 1 ? 1 : 0) }
                let learnt = learner.learn(
                    LinearLearner.Settings(.logistic), rate: 1,
                    RowSource(
                        stage, x.span, stride: 1, labels: labels.span, factors: factors.span),
                    rows: 0..<rows, measures: false, into: &found, kernels: kernels)
                #expect(learnt == rows)
                let z = Double(Float(log))
                let expected = label == 1 ? 1 / (1 + exp(z)) : -1 / (1 + exp(-z))
                #expect(abs(learner.bias - expected) <= 2e-9 * abs(expected), "\(log), \(label)")
            }
        }
    }

    /// Slopes of rows that are learnt together, each after the steps of those before it: rows without
    /// features have sums and steps in double.
    @Test(arguments: KernelSet.available)
    func slopesFollowEachOther(_ kernels: KernelSet) {
        let x: [Float] = [0, 0, 0, 0]
        let stage = Conditioning(impute: [0], mean: [0], limit: [.infinity], scale: [1])
        for log in stride(from: -10.0, through: 10, by: 0.13) {
            for mask in 0..<16 {
                let labels = (0..<4).map { Float(mask >> $0 & 1) }
                let factors: [Float] = [1, 0.5, 0.25, 1]
                var learner = LinearLearner(width: 1)
                learner.bias = log
                var found = Learnt(width: 1)
                let learnt = learner.learn(
                    LinearLearner.Settings(.logistic), rate: 0.9,
                    RowSource(
                        stage, x.span, stride: 1, labels: labels.span, factors: factors.span),
                    rows: 0..<4, measures: false, into: &found, kernels: kernels)
                #expect(learnt == 4)
                var bias = log
                for row in 0..<4 {
                    let slope = 1 / (1 + exp(-bias)) - Double(labels[row])
                    bias -= 0.9 * slope * Double(factors[row])
                }
                #expect(abs(learner.bias - bias) < 2e-9, "\(log), \(labels)")
            }
        }
    }

    /// Rows are learnt some at a time: each place among them, and fewer rows than that; where rows
    /// are large, one by one.
    @Test(arguments: KernelSet.available, [3, 20, 64])
    func learningStopsAtASumThatIsNoNumber(_ kernels: KernelSet, width: Int) {
        for loss in [RowLoss.logistic, .squared] {
            for (bad, l2) in (0..<24).flatMap({ [($0, 0.0), ($0, 0.5)] }) {
                var rows = Rows(Learning(loss: loss, width: width), count: 24)
                if loss == .logistic {
                    for i in 4 * rows.stride..<8 * rows.stride { rows.features[i] *= 10 }
                }
                rows.features[bad * rows.stride + width - 1] = .infinity
                var settings = LinearLearner.Settings(loss)
                settings.l2 = l2
                var learner = LinearLearner(width: width)
                learner.weights = learner.weights.indices.map { Float($0 % 3) / 8 - 0.1 }
                var before = learner
                var found = Learnt(width: width)
                let learnt = rows.learn(
                    &learner, settings, rate: 0.1, 0..<24, into: &found, kernels)
                #expect(learnt == bad)
                // The moments are those of all rows nevertheless.
                #expect(found.moments.firstInfinite == width - 1)
                // The rows before have been learnt, to the last of them.
                _ = rows.learn(
                    &before, settings, rate: 0.1, 0..<bad, into: &found, kernels, measures: false)
                #expect(
                    zip(learner.folded, before.folded).allSatisfy { abs($0 - $1) < 3e-6 },
                    "\(loss), row \(bad), l2 \(l2)")
                #expect(abs(learner.bias - before.bias) < 1e-6)
            }
        }
    }

    /// However many rows there are, learning them is learning one after the other.
    @Test(arguments: KernelSet.available, [1, 17, 64])
    func manyRowsAreLearntAsOneByOne(_ kernels: KernelSet, width: Int) {
        for loss in [RowLoss.logistic, .squared, .huber] {
            for (count, l2) in (1...13).flatMap({ [($0, 0.0), ($0, 4.0)] }) {
                let rows = Rows(
                    Learning(loss: loss, width: width, missing: 0.05, isStandardised: true),
                    count: count)
                var settings = LinearLearner.Settings(loss)
                settings.huber = 0.2
                settings.l2 = l2
                var together = LinearLearner(width: width)
                var single = together
                var found = Learnt(width: width)
                var foundSingly = Learnt(width: width)
                #expect(
                    rows.learn(&together, settings, rate: 0.05, 0..<count, into: &found, kernels)
                        == count)
                for row in 0..<count {
                    #expect(
                        rows.learn(
                            &single, settings, rate: 0.05, row..<row + 1, into: &foundSingly,
                            kernels) == 1)
                }
                for row in 0..<count {
                    #expect(abs(found.sums[row] - foundSingly.sums[row]) < 2e-6)
                }
                #expect(zip(together.folded, single.folded).allSatisfy { abs($0 - $1) < 1e-6 })
                #expect(abs(together.bias - single.bias) < 1e-8)
                #expect(abs(together.scale - single.scale) <= 1e-14 * single.scale)
            }
        }
    }
}
