import Glibc
import MillraceSystem
import Testing

@testable import MillracePipeline

/// What is said of predictions, against sums that are written out.
@Suite struct RunJudgeTests {
    @Test func binaryAgainstBruteForce() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("judge seed \(seed)")
        var random = SplitMix64(seed: seed)
        for _ in 0..<20 {
            let count = 2 + Int(random.next() % 300)
            // Coarse scores make ties.
            let rows = (0..<count).map { index in
                (
                    score: Float(1 + random.next() % 19) / 20,
                    positive: index == 0 || (index > 1 && random.unit() < 0.3)
                )
            }
            var judge = PredictionJudge(.binary)
            for row in rows { judge.add([row.score].span, label: row.positive ? 1 : 0) }
            let quality = try #require(judge.quality(classes: ["no", "yes"]))
            #expect(quality.rows == count)
            #expect(quality.rmse == nil)
            let loss = rows.reduce(0.0) {
                $0 - log($1.positive ? Double($1.score) : 1 - Double($1.score))
            }
            #expect(abs(try #require(quality.logLoss) - loss / Double(count)) < 1e-6)
            let right = rows.count { ($0.score > 0.5) == $0.positive }
            #expect(quality.accuracy == Double(right) / Double(count), "seed \(seed)")
            var wins = 0.0
            for left in rows where left.positive {
                for other in rows where !other.positive {
                    wins += left.score > other.score ? 1 : left.score == other.score ? 0.5 : 0
                }
            }
            let positives = rows.count { $0.positive }
            let pairs = Double(positives * (count - positives))
            #expect(abs(try #require(quality.auc) - wins / pairs) < 1e-12, "seed \(seed)")
            let confusion = [false, true].map { truth in
                [false, true].map { said in
                    rows.count { $0.positive == truth && ($0.score > 0.5) == said }
                }
            }
            #expect(quality.confusion == confusion, "seed \(seed)")
            #expect(judge.calibration.reduce(0) { $0 + $1.rows } == count)
            #expect(judge.calibration.reduce(0) { $0 + $1.positives } == positives)
            let curve = judge.roc()
            #expect(curve.first.map { $0 == (0, 0) } == true)
            #expect(curve.last.map { $0 == (1, 1) } == true)
            #expect(zip(curve, curve.dropFirst()).allSatisfy { $0.0 <= $1.0 && $0.1 <= $1.1 })
            let area = zip(curve, curve.dropFirst()).reduce(0.0) {
                $0 + ($1.1.0 - $1.0.0) * ($1.1.1 + $1.0.1) / 2
            }
            #expect(abs(area - wins / pairs) < 0.02, "seed \(seed)")
        }
    }

    @Test func classesAgainstBruteForce() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("judge seed \(seed)")
        var random = SplitMix64(seed: seed)
        var judge = PredictionJudge(.classes(3))
        var loss = 0.0
        var confusion = [[Int]](repeating: [0, 0, 0], count: 3)
        for _ in 0..<500 {
            let weights = (0..<3).map { _ in Float(random.unit()) + 0.01 }
            let sum = weights.reduce(0, +)
            let outputs = weights.map { $0 / sum }
            let label = Int(random.next() % 3)
            judge.add(outputs.span, label: Float(label))
            loss -= log(Double(outputs[label]))
            confusion[label][outputs.firstIndex(of: outputs.max() ?? 0) ?? 0] += 1
        }
        let quality = try #require(judge.quality(classes: []))
        #expect(quality.confusion == confusion, "seed \(seed)")
        #expect(quality.classes == ["0", "1", "2"])
        #expect(abs(try #require(quality.logLoss) - loss / 500) < 1e-5, "seed \(seed)")
        let right = confusion.indices.reduce(0) { $0 + confusion[$1][$1] }
        #expect(quality.accuracy == Double(right) / 500, "seed \(seed)")
        #expect(quality.auc == nil)
    }

    /// Labels come from files: any number may be there.
    @Test(arguments: [Float(3), -1, 1e20, .infinity, 0.5])
    func labelsThatAreNoClass(_ label: Float) throws {
        var judge = PredictionJudge(.classes(3))
        judge.add([0.2, 0.3, 0.5].span, label: label)
        judge.add([0.2, 0.3, 0.5].span, label: 2)
        let quality = try #require(judge.quality(classes: []))
        #expect(quality.accuracy == 1)
        #expect(quality.rows == 1)
    }

    @Test func numbers() throws {
        var judge = PredictionJudge(.number)
        for (output, label) in [(Float(1), Float(2)), (3, 3), (0, -2)] {
            judge.add([output].span, label: label)
        }
        let quality = try #require(judge.quality(classes: []))
        #expect(abs(try #require(quality.rmse) - (5.0 / 3).squareRoot()) < 1e-12)
        #expect(quality.logLoss == nil)
        #expect(PredictionJudge(.number).quality(classes: []) == nil)
    }

    @Test func timelines() {
        var timeline = Timeline()
        #expect(timeline.activeSeconds == 0)
        #expect(timeline.cumulative(at: [5]) == [0])
        let second: Int64 = 1_000_000_000
        for (time, rows) in [(3 * second, 5), (second, 1), (second * 3 / 2, 2), (9 * second, 7)] {
            timeline.add(time: time, rows: rows)
        }
        timeline.sort()
        #expect(timeline.rows == 15)
        // Half a second of work; pauses of 1.5 and 6 seconds in which the process did not run.
        #expect(timeline.activeSeconds == 0.5)
        #expect(
            timeline.cumulative(at: [0, second, 2 * second, 3 * second, 10 * second])
                == [0, 1, 3, 8, 15])
    }
}
