import Foundation
import MillraceCompute
import MillraceModels
import MillraceSystem
import Testing

/// The kernels of training beside their definitions in double.
@Suite struct TrainingKernelTests {
    private static func numbers(_ count: Int, _ random: inout SplitMix64) -> [Float] {
        (0..<count).map { _ in Float(2 * random.unit() - 1) }
    }

    @Test(arguments: KernelSet.available, [1, 2, 3, 4, 7, 64, 257])
    func logisticLossesAreThoseOfTheirDefinition(_ kernels: KernelSet, rows: Int) {
        var random = SplitMix64(seed: UInt64(rows))
        let extremes: [Float] = [0, 1e-30, -1e-30, 20, -20, 90, -90, 800, -800, 1e30, -1e30]
        let sums = (0..<rows).map {
            $0 % 3 == 0 ? extremes[$0 / 3 % extremes.count] : Float(16 * random.unit() - 8)
        }
        let labels = (0..<rows).map { _ in Float(random.unit() < 0.5 ? 0 : 1) }
        for factors in [[], Self.numbers(rows, &random).map(abs)] {
            var judgement = LossFunction.Judgement()
            judgement.reserve(rows: rows, width: 1)
            let correct = RowLosses.logistic(
                sums, labels: labels.span, factors: factors, rows: rows,
                outputs: &judgement.outputs, delta: &judgement.delta, costs: &judgement.costs,
                kernels)
            var right = 0
            for row in 0..<rows {
                let x = Double(sums[row])
                let isPositive = labels[row] == 1
                let margin = isPositive ? x : -x
                right += (x > 0) == isPositive ? 1 : 0
                let cost = max(-margin, 0) + log1p(exp(-abs(margin)))
                expectNear(judgement.costs[row], cost, 1e-13)
                let p = x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x))
                expectNear(Double(judgement.outputs[row]), p, 1e-7)
                let wrong = margin >= 0 ? exp(-margin) / (1 + exp(-margin)) : 1 / (1 + exp(margin))
                let factor = factors.isEmpty ? 1 : Double(factors[row])
                expectNear(
                    Double(judgement.delta[row]), (isPositive ? -wrong : wrong) * factor, 1e-7)
            }
            #expect(correct == right)
        }
    }

    /// Relatively near; numbers too small for a normal float32 count as zero.
    private func expectNear(
        _ found: Double, _ expected: Double, _ tolerance: Double,
        _ place: SourceLocation = #_sourceLocation
    ) {
        #expect(
            abs(found - expected) <= tolerance * abs(expected) + 1e-37,
            "\(found), where \(expected) is right", sourceLocation: place)
    }

    @Test(arguments: KernelSet.available, [2, 3, 8, 10, 65, 130])
    func softmaxLossesAreThoseOfTheirDefinition(_ kernels: KernelSet, classes: Int) {
        var random = SplitMix64(seed: UInt64(classes))
        let rows = 21
        var sums = Self.numbers(rows * classes, &random).map { $0 * 10 }
        // Two largest ones: the first is the prediction.
        for i in 0..<2 { sums[i] = 30 }
        for i in classes..<classes + 2 { sums[i] = 30 }
        // Far below: nothing is added, and nothing overflows.
        sums[2 * classes] = -1e5
        sums[3 * classes] = 1e5
        var labels = (0..<rows).map { _ in Float(Int(random.next() % UInt64(classes))) }
        labels[0] = 0
        labels[1] = 1
        let factors = Self.numbers(rows, &random).map(abs)
        var judgement = LossFunction.Judgement()
        judgement.reserve(rows: rows, width: classes)
        let correct = RowLosses.softmax(
            sums, classes: classes, labels: labels.span, factors: factors, rows: rows,
            outputs: &judgement.outputs, delta: &judgement.delta, costs: &judgement.costs, kernels)
        var right = 0
        for row in 0..<rows {
            let x = sums[row * classes..<(row + 1) * classes].map(Double.init)
            let largest = x.max() ?? 0
            let total = x.reduce(0) { $0 + exp($1 - largest) }
            let target = Int(labels[row])
            right += x.firstIndex(of: largest) == target ? 1 : 0
            let cost = log(total) + largest - x[target]
            #expect(abs(judgement.costs[row] - cost) <= 1e-12 * max(1, cost))
            for i in 0..<classes {
                let p = exp(x[i] - largest) / total
                let at = row * classes + i
                #expect(abs(Double(judgement.outputs[at]) - p) <= 1e-7 * p + 1e-37)
                let slope = (i == target ? p - 1 : p) * Double(factors[row])
                #expect(abs(Double(judgement.delta[at]) - slope) <= 1e-7 * abs(slope) + 1e-14)
            }
        }
        #expect(correct == right)
    }

    @Test(arguments: KernelSet.available)
    func sumsThatAreNoNumbersCostNoNumber(_ kernels: KernelSet) {
        var judgement = LossFunction.Judgement()
        for classes in [1, 2, 10] {
            for (bad, place) in [Float.nan, .infinity].flatMap({ bad in
                (0..<classes).map { (bad, $0) }
            }) {
                var sums = [Float](repeating: 1, count: 5 * classes)
                sums[2 * classes + place] = bad
                judgement.reserve(rows: 5, width: classes)
                let labels: [Float] = [0, 0, 0, 0, 0]
                if classes == 1 {
                    _ = RowLosses.logistic(
                        sums, labels: labels.span, factors: [], rows: 5,
                        outputs: &judgement.outputs, delta: &judgement.delta,
                        costs: &judgement.costs, kernels)
                } else {
                    _ = RowLosses.softmax(
                        sums, classes: classes, labels: labels.span, factors: [], rows: 5,
                        outputs: &judgement.outputs, delta: &judgement.delta,
                        costs: &judgement.costs, kernels)
                }
                for row in 0..<5 { #expect(judgement.costs[row].isFinite == (row != 2)) }
            }
        }
    }

    // MARK: Moments

    @Test(arguments: [1, 5, 15, 16, 17, 40, 64])
    func momentsAreThoseOfTheirDefinition(width: Int) {
        var random = SplitMix64(seed: UInt64(width))
        let (rows, stride) = (77, width + 3)
        for share in [0, 0.2, 1] {
            var x = [Float](repeating: .nan, count: rows * stride)
            for row in 0..<rows {
                for i in 0..<width where random.unit() >= share {
                    // Far from zero, some with a first row that is far from the others.
                    let far: Float = i % 3 == 0 ? 1e4 : i % 3 == 1 && row == 0 ? 1e6 : 0
                    x[row * stride + i] = far + Float(random.unit())
                }
            }
            for kernels in KernelSet.available {
                let found = ColumnMoments(
                    x.span, rows: rows, width: width, stride: stride, kernels: kernels)
                for i in 0..<width {
                    let there = (0..<rows).map { Double(x[$0 * stride + i]) }.filter { !$0.isNaN }
                    #expect(found.count[i] == Double(there.count))
                    let mean = there.isEmpty ? 0 : there.reduce(0, +) / Double(there.count)
                    let squares = there.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
                    #expect(abs(found.mean[i] - mean) <= 1e-13 * abs(mean))
                    #expect(abs(found.squares[i] - squares) <= 1e-9 * squares + 1e-12)
                }
            }
        }
    }

    @Test func infiniteNumbersShowInTheMoments() {
        for place in [0, 3] {
            var x = [Float](repeating: 1, count: 20 * 4)
            x[20 * place + 18] = .infinity
            let found = ColumnMoments(
                x.span, rows: 4, width: 20, stride: 20, kernels: .best)
            for i in 0..<20 {
                #expect((found.mean[i].isFinite && found.squares[i].isFinite) == (i != 18))
            }
        }
    }

    // MARK: Row by row

    struct Learning: CustomTestStringConvertible {
        var loss: RowLoss
        var l2: Double
        var width: Int
        var testDescription: String { "\(loss), l2 \(l2), \(width) features" }
    }

    static let learnings = [RowLoss.squared, .huber, .logistic].flatMap { loss in
        // The last one takes the common factor below its limit within the rows.
        [0, 0.01, 40].flatMap { l2 in
            [1, 8, 15, 64, 100].map { Learning(loss: loss, l2: l2, width: $0) }
        }
    }

    @Test(arguments: KernelSet.available, learnings)
    func rowsAreLearntAsByTheirDefinition(_ kernels: KernelSet, _ learning: Learning) {
        var random = SplitMix64(seed: 15)
        let (rows, width, rate) = (120, learning.width, 0.02)
        let x = Self.numbers(rows * width, &random)
        let labels = (0..<rows).map { Float(x[$0 * width] > 0 ? 1 : 0) }
        let factors = Self.numbers(rows, &random).map(abs)
        var settings = LinearLearner.Settings(learning.loss)
        settings.huber = 0.3
        settings.l2 = learning.l2
        settings.limit = 0.8
        var learner = LinearLearner(width: width)
        var sums = [Float](repeating: 0, count: rows)
        // In two parts, with all steps made in between.
        for part in [0..<50, 50..<rows] {
            let learnt = learner.learn(
                settings, rate: rate, x, rows: part, labels: labels.span, factors: factors.span,
                sums: &sums, kernels: kernels)
            #expect(learnt == part.count)
        }
        var weights = [Double](repeating: 0, count: width)
        var bias = 0.0
        for row in 0..<rows {
            let features = x[row * width..<(row + 1) * width].map(Double.init)
            let sum = zip(features, weights).reduce(bias) { $0 + $1.0 * $1.1 }
            #expect(abs(Double(sums[row]) - sum) < 2e-5)
            let label = Double(labels[row])
            var slope: Double
            switch learning.loss {
            case .logistic: slope = 1 / (1 + exp(-sum)) - label
            case .squared: slope = sum - label
            case .huber: slope = min(max(sum - label, -0.3), 0.3)
            }
            slope = min(max(slope, -0.8), 0.8)
            let update = -rate * slope * Double(factors[row])
            for i in 0..<width {
                weights[i] = weights[i] * (1 - rate * learning.l2) + update * features[i]
            }
            bias += update
        }
        for (found, expected) in zip(learner.folded, weights) {
            #expect(abs(Double(found) - expected) < 1e-5)
        }
        #expect(abs(learner.bias - bias) < 1e-5)
    }

    @Test(arguments: KernelSet.available)
    func learningStopsAtASumThatIsNoNumber(_ kernels: KernelSet) {
        let width = 20
        var x = [Float](repeating: 0.5, count: 10 * width)
        x[6 * width + 19] = .infinity
        let labels = [Float](repeating: 1, count: 10)
        let none: [Float] = []
        var sums = [Float](repeating: 0, count: 10)
        var learner = LinearLearner(width: width)
        var before = learner
        let settings = LinearLearner.Settings(.logistic)
        let learnt = learner.learn(
            settings, rate: 0.1, x, rows: 0..<10, labels: labels.span, factors: none.span,
            sums: &sums, kernels: kernels)
        #expect(learnt == 6)
        // The rows before have been learnt, to the last of them.
        _ = before.learn(
            settings, rate: 0.1, x, rows: 0..<6, labels: labels.span, factors: none.span,
            sums: &sums,
            kernels: kernels)
        #expect(zip(learner.weights, before.weights).allSatisfy { abs($0 - $1) < 1e-6 })
        #expect(abs(learner.bias - before.bias) < 1e-6)
    }
}
