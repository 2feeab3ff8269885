import MillraceCompute
import MillraceModels
import Testing

@Suite struct MetricsTests {
    @Test func aucIsThatOfAllPairs() throws {
        let seed: UInt64 = 3
        var draw = Draw(seed)
        for _ in 0..<20 {
            let count = draw.integer(2...120)
            let scores = (0..<count).map { _ in Float(draw.integer(0...40)) / 41 + 0.01 }
            let positives = scores.map { draw.number(0...1) < $0 }
            var won = 0.0
            var pairs = 0.0
            for i in 0..<count where positives[i] {
                for j in 0..<count where !positives[j] {
                    pairs += 1
                    won += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0
                }
            }
            let exact = ExactAUC.compute(scores: scores, positives: positives)
            var metrics = ClassificationMetrics()
            for (p, positive) in zip(scores, positives) {
                metrics.add(probability: p, positive: positive)
            }
            guard pairs > 0 else {
                #expect(exact == nil && metrics.auc == nil)
                continue
            }
            #expect(abs(try #require(exact) - won / pairs) < 1e-12, "seed \(seed)")
            let bound = try #require(metrics.aucErrorBound)
            #expect(abs(try #require(metrics.auc) - won / pairs) <= bound + 1e-12)
        }
    }

    /// Few rows and many, spread and crowded, tied and apart: every kernel set counts every pair.
    @Test(arguments: [1, 2, 30, 72, 73, 500, 3000])
    func pairsAreCountedOneByOne(_ count: Int) {
        var draw = Draw(UInt64(count))
        let kinds: [(inout Draw) -> Float] = [
            { 1 / Float($0.integer(2...1_000_000)) }, { 1 - 1 / Float($0.integer(2...20_000_000)) },
            { Float($0.integer(0...3)) }, { _ in 0.5 },
            { Float($0.integer(-9...9)) * .leastNonzeroMagnitude },
            { draw in
                let magnitude = Float(bitPattern: UInt32(draw.integer(0...0x7F80_0000)))
                return draw.integer(0...1) == 0 ? magnitude : -magnitude
            },
        ]
        for kind in kinds {
            let scores = (0..<count).map { _ in kind(&draw) }
            let positives = (0..<count).map { _ in draw.integer(0...2) == 0 }
            var twice = UInt64(0)
            let misses = (0..<count).filter { !positives[$0] }.map { scores[$0] }
            for row in 0..<count where positives[row] {
                for miss in misses {
                    twice += scores[row] > miss ? 2 : scores[row] == miss ? 1 : 0
                }
            }
            for kernels in KernelSet.available {
                let won = PairsWon(
                    scores: scores.span, positives: positives.span, kernels: kernels)
                #expect(won.twice == twice && won.negatives == misses.count)
                #expect(won.positives == count - misses.count)
            }
        }
    }

    /// But for the width of a bin.
    @Test func calibrationIsThatOfItsDefinition() throws {
        var draw = Draw(9)
        for count in [1, 2, 7, 5000] {
            var metrics = ClassificationMetrics()
            var stated = [Double](repeating: 0, count: 10)
            var happened = stated
            for _ in 0..<count {
                let odds = Double(draw.number(-12...12))
                let probability = 1 / (1 + exponential(-odds))
                let positive = Double(draw.number(0...1)) < probability
                metrics.add(logOdds: odds, positive: positive)
                let group = min(Int(probability * 10), 9)
                stated[group] += probability
                happened[group] += positive ? 1 : 0
            }
            let distance = zip(stated, happened).reduce(0) { $0 + abs($1.0 - $1.1) }
            let found = try #require(metrics.calibrationError)
            #expect(abs(found - distance / Double(count)) < 1e-3, "\(count) rows")
        }
    }

    @Test func aucOrdersScoresOfBothSigns() throws {
        let scores: [Float] = [-3, -0.5, -0.0, 0, 0.25, 2, -.infinity, .infinity]
        func auc(_ positives: Set<Int>) -> Double? {
            ExactAUC.compute(
                scores: scores, positives: scores.indices.map { positives.contains($0) })
        }
        #expect(auc([7]) == 1 && auc([6]) == 0)
        // Above all but the other zero, which ties, and those above zero.
        #expect(auc([2]) == 3.5 / 7 && auc([3]) == 3.5 / 7)
        #expect(auc([1]) == 2.0 / 7 && auc([0]) == 1.0 / 7)
    }

    @Test func aucOfManyScoresIsWithinItsBound() throws {
        var draw = Draw(5)
        var metrics = ClassificationMetrics()
        var scores: [Float] = []
        var positives: [Bool] = []
        for _ in 0..<20_000 {
            let score = draw.number(0.001...0.999)
            let positive = draw.number(0...1) < score
            scores.append(score)
            positives.append(positive)
            metrics.add(probability: score, positive: positive)
        }
        let exact = try #require(ExactAUC.compute(scores: scores, positives: positives))
        let bound = try #require(metrics.aucErrorBound)
        #expect(bound < 1e-3)
        #expect(abs(try #require(metrics.auc) - exact) <= bound)
    }

    /// What metrics have counted since a moment is what others have that began then.
    @Test func aWindowHasWhatWasCountedSince() {
        var draw = Draw(6)
        var life = ClassificationMetrics()
        func count(_ rows: Int, _ metrics: inout ClassificationMetrics) {
            for _ in 0..<rows {
                let odds = Double(draw.number(-20...20))
                let positive = draw.number(0...1) < 0.3
                life.add(logOdds: odds, positive: positive)
                metrics.add(logOdds: odds, positive: positive)
            }
        }
        var before = ClassificationMetrics()
        count(100, &before)
        var window = ClassificationWindow(life)
        for rows in [200, 1, 50] {
            var alone = ClassificationMetrics()
            count(rows, &alone)
            let counted = window.take(life)
            #expect(counted.rows == rows && counted.accuracy == alone.accuracy)
            #expect(abs(counted.logLoss - alone.logLoss) < 1e-9)
            #expect(counted.auc == alone.auc)
            #expect(counted.calibrationError == alone.calibrationError)
        }
        let nothing = window.take(life)
        #expect(nothing.rows == 0 && nothing.auc == nil && nothing.calibrationError == nil)
        // More classes have no bins.
        var three = ClassificationMetrics(classes: 3)
        var others = ClassificationWindow(three)
        three.add(probabilities: ([0.2, 0.7, 0.1] as [Float]).span, label: 1)
        let counted = others.take(three)
        #expect(counted.rows == 1 && counted.accuracy == 1 && counted.auc == nil)
    }

    @Test func lossAndAccuracy() {
        var metrics = ClassificationMetrics()
        metrics.add(probability: 0.75, positive: true)
        metrics.add(probability: 0.5, positive: false)
        metrics.add(probability: 0.25, positive: true)
        let expected = -(logarithm(0.75) + logarithm(0.5) + logarithm(0.25)) / 3
        #expect(abs(metrics.logLoss - expected) < 1e-12)
        #expect(metrics.accuracy == 2.0 / 3)
        var certain = ClassificationMetrics()
        certain.add(probability: 1, positive: false)
        #expect((17...18).contains(certain.logLoss))
        certain.add(probability: 0, positive: true)
        #expect(certain.logLoss.isFinite)
    }

    @Test func logOddsAndProbabilitiesAgree() {
        var draw = Draw(7)
        var first = ClassificationMetrics()
        var second = ClassificationMetrics()
        for _ in 0..<500 {
            let p = draw.number(0.01...0.99)
            let positive = draw.number(0...1) < p
            first.add(probability: p, positive: positive)
            let odds = logarithm(Double(p)) - logarithm(1 - Double(p))
            second.add(logOdds: odds, positive: positive)
        }
        #expect(abs(first.logLoss - second.logLoss) < 1e-12)
        #expect(first.accuracy == second.accuracy)
    }

    @Test func mergingIsCountingEverything() throws {
        var draw = Draw(9)
        var whole = ClassificationMetrics(classes: 3)
        var parts = [whole, whole]
        for i in 0..<200 {
            let exponentials = draw.numbers(3, 0.1...1)
            let sum = exponentials.reduce(0, +)
            let probabilities = exponentials.map { $0 / sum }
            let label = draw.integer(0...2)
            whole.add(probabilities: probabilities.span, label: label)
            parts[i % 2].add(probabilities: probabilities.span, label: label)
        }
        parts[0].merge(parts[1])
        #expect(parts[0].rows == whole.rows && parts[0].accuracy == whole.accuracy)
        #expect(abs(parts[0].logLoss - whole.logLoss) < 1e-12)
        #expect(whole.auc == nil)
    }

    @Test func regressionErrors() {
        var metrics = RegressionMetrics()
        metrics.add(predicted: 1, actual: 4)
        metrics.add(predicted: 2, actual: -2)
        #expect(metrics.rmse == 12.5.squareRoot() && metrics.mae == 3.5)
    }
}
