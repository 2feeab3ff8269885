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
        var single = LossFunction.Judgement()
        single.reserve(rows: 1, width: 1)
        for factors in [[], Self.numbers(rows, &random).map(abs)] {
            var judgement = LossFunction.Judgement()
            judgement.reserve(rows: rows, width: 1)
            let found = RowLosses.logistic(
                sums, labels: labels.span, factors: factors, rows: rows,
                outputs: &judgement.outputs, delta: &judgement.delta, kernels)
            var total = (plain: 0.0, weighted: 0.0, right: 0)
            for row in 0..<rows {
                let x = Double(sums[row])
                let isPositive = labels[row] == 1
                let margin = isPositive ? x : -x
                total.right += (x > 0) == isPositive ? 1 : 0
                let cost = max(-margin, 0) + log1p(exp(-abs(margin)))
                let factor = factors.isEmpty ? 1 : Double(factors[row])
                let one = RowLosses.logistic(
                    [sums[row]], labels: labels.span.extracting(row..<row + 1),
                    factors: factors.isEmpty ? [] : [factors[row]], rows: 1,
                    outputs: &single.outputs, delta: &single.delta, kernels)
                expectNear(one.plain, cost, 1e-13)
                expectNear(one.weighted, cost * factor, 1e-13)
                total.plain += cost
                total.weighted += cost * factor
                let p = x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x))
                expectNear(Double(judgement.outputs[row]), p, 1e-7)
                let wrong = margin >= 0 ? exp(-margin) / (1 + exp(-margin)) : 1 / (1 + exp(margin))
                expectNear(
                    Double(judgement.delta[row]), (isPositive ? -wrong : wrong) * factor, 1e-7)
            }
            #expect(found.right == total.right)
            expectNear(found.plain, total.plain, 1e-13)
            expectNear(found.weighted, total.weighted, 1e-13)
            // Without slopes all the rest is the same.
            let outputs = judgement.outputs
            judgement.delta = judgement.delta.map { _ in 7 }
            let again = RowLosses.logistic(
                sums, labels: labels.span, factors: factors, rows: rows,
                outputs: &judgement.outputs, delta: &judgement.delta, wantsDelta: false, kernels)
            #expect(again.plain == found.plain && again.weighted == found.weighted)
            #expect(again.right == found.right && judgement.outputs == outputs)
            #expect(judgement.delta.allSatisfy { $0 == 7 })
        }
    }

    /// Losses of rows that all count alike are the logarithm of a product, which never overflows.
    @Test(arguments: KernelSet.available)
    func lossesOfManyRowsAddUp(_ kernels: KernelSet) {
        let rows = 40_003
        var random = SplitMix64(seed: 9)
        var sums = (0..<rows).map { _ in Float(0.01 * random.unit()) }
        sums[rows - 1] = -40
        let labels = [Float](repeating: 1, count: rows)
        var judgement = LossFunction.Judgement()
        judgement.reserve(rows: rows, width: 1)
        let found = RowLosses.logistic(
            sums, labels: labels.span, factors: [], rows: rows, outputs: &judgement.outputs,
            delta: &judgement.delta, kernels)
        let total = sums.reduce(0.0) {
            $0 + max(-Double($1), 0) + log1p(exp(-abs(Double($1))))
        }
        expectNear(found.plain, total, 1e-12)
        #expect(found.right == rows - 1 - sums.count { $0 == 0 })
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
        let found = RowLosses.softmax(
            sums, classes: classes, labels: labels.span, factors: factors, rows: rows,
            outputs: &judgement.outputs, delta: &judgement.delta, kernels)
        var total = (plain: 0.0, weighted: 0.0, right: 0)
        var single = judgement
        for row in 0..<rows {
            let x = sums[row * classes..<(row + 1) * classes].map(Double.init)
            let largest = x.max() ?? 0
            let sum = x.reduce(0) { $0 + exp($1 - largest) }
            let target = Int(labels[row])
            total.right += x.firstIndex(of: largest) == target ? 1 : 0
            let cost = log(sum) + largest - x[target]
            let one = RowLosses.softmax(
                Array(sums[row * classes..<(row + 1) * classes]), classes: classes,
                labels: labels.span.extracting(row..<row + 1), factors: [factors[row]], rows: 1,
                outputs: &single.outputs, delta: &single.delta, kernels)
            #expect(abs(one.plain - cost) <= 1e-12 * max(1, cost))
            #expect(one.weighted == one.plain * Double(factors[row]))
            total.plain += one.plain
            total.weighted += one.weighted
            for i in 0..<classes {
                let p = exp(x[i] - largest) / sum
                let at = row * classes + i
                #expect(abs(Double(judgement.outputs[at]) - p) <= 1e-7 * p + 1e-37)
                let slope = (i == target ? p - 1 : p) * Double(factors[row])
                #expect(abs(Double(judgement.delta[at]) - slope) <= 1e-7 * abs(slope) + 1e-14)
            }
        }
        #expect(found.right == total.right)
        expectNear(found.plain, total.plain, 1e-14)
        expectNear(found.weighted, total.weighted, 1e-14)
    }

    /// Of rows that are all of class 0.
    private static func cost(
        _ sums: [Float], _ classes: Int, rows: Int, _ kernels: KernelSet,
        _ judgement: inout LossFunction.Judgement
    ) -> Double {
        let labels = [Float](repeating: 0, count: rows)
        guard classes > 1 else {
            return RowLosses.logistic(
                sums, labels: labels.span, factors: [], rows: rows, outputs: &judgement.outputs,
                delta: &judgement.delta, kernels
            ).plain
        }
        return RowLosses.softmax(
            sums, classes: classes, labels: labels.span, factors: [], rows: rows,
            outputs: &judgement.outputs, delta: &judgement.delta, kernels
        ).plain
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
                let costs = [2, 3, 5].map { rows in
                    Self.cost(sums, classes, rows: rows, kernels, &judgement)
                }
                #expect(costs.map(\.isFinite) == [true, false, false])
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

    @Test func momentsOfPartsMakeThoseOfAll() {
        var random = SplitMix64(seed: 21)
        for width in [1, 7, 8, 19, 64] {
            let rows = 90
            var x = Self.numbers(rows * width, &random)
            // One column begins with missing numbers only.
            for row in 0..<60 { x[row * width] = .nan }
            let all = ColumnMoments(
                x.span, rows: rows, width: width, stride: width, kernels: .best)
            var parts = ColumnMoments(width: width)
            for part in [0..<30, 30..<31, 31..<90] {
                parts.merge(
                    ColumnMoments(
                        x.span.extracting(part.lowerBound * width..<part.upperBound * width),
                        rows: part.count, width: width, stride: width, kernels: .best))
            }
            for i in 0..<width {
                #expect(parts.count[i] == all.count[i])
                #expect(abs(parts.mean[i] - all.mean[i]) < 1e-14)
                #expect(abs(parts.squares[i] - all.squares[i]) < 1e-12)
            }
            parts.clear()
            #expect(parts == ColumnMoments(width: width))
        }
    }

    @Test func unitsAreOneOverTheDeviation() {
        var random = SplitMix64(seed: 22)
        let extremes: [(count: Double, squares: Double)] = [
            (0, 0), (5, 0), (1, 1e-90), (1, 1e90), (3, 7e75), (2, 5e-76), (1, .infinity),
            (.infinity, 1),
        ]
        for width in [1, 3, 7, 8, 9, 40] {
            let moments = (0..<width).map { i in
                i % 3 == 1
                    ? extremes[Int.random(in: extremes.indices, using: &random)]
                    : (count: Double(i + 1), squares: .random(in: 0...100, using: &random))
            }
            let units = ColumnMoments(
                count: moments.map(\.count), mean: moments.map { _ in 0 },
                squares: moments.map(\.squares)
            ).units
            let expected = moments.map { count, squares in
                let unit = Float(1 / (squares / count).squareRoot())
                return unit.isNormal ? unit : 1
            }
            #expect(units.map(\.bitPattern) == expected.map(\.bitPattern))
        }
    }

    // MARK: Labels and bins

    @Test func labelsThatAreNoClassesAreCounted() {
        let none: [Float] = [-1, 3, 0.5, 1e9, .nan, .infinity, -.infinity, -0.5]
        for rows in [1, 15, 16, 17, 40] {
            for place in Set([0, rows / 2, rows - 1]) {
                var labels = (0..<rows).map { Float($0 % 3) }
                #expect(RowLosses.labelsOutside(labels.span, rows: rows, classes: 3) == 0)
                for label in none {
                    labels[place] = label
                    let found = RowLosses.labelsOutside(labels.span, rows: rows, classes: 3)
                    #expect(found == 1, "\(label) at \(place) of \(rows)")
                }
            }
        }
    }

    @Test func rowsAreCountedInTheBinsOfTheirLogOdds() {
        let odds: [Float] = [
            -20, -16, -15.999, -1, -1e-9, 0, 1e-9, 0.0019, 0.002, 15.999, 16, 20, .infinity,
            -.infinity, .nan, 3, -3, 3, -3,
        ]
        let labels = odds.indices.map { Float($0 % 2) }
        var positives = [UInt64](repeating: 0, count: 1 << 14)
        var negatives = positives
        RowLosses.countOdds(
            odds, labels: labels.span, rows: odds.count, range: 16, positives: &positives,
            negatives: &negatives)
        for (i, odd) in odds.enumerated() {
            let place = (Double(odd) + 16) * 512
            let bin = place >= 0 ? Int(min(place, 16383)) : 0
            if labels[i] == 1 { positives[bin] -= 1 } else { negatives[bin] -= 1 }
        }
        #expect((positives + negatives).allSatisfy { $0 == 0 })
    }
}
