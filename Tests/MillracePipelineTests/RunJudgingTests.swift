import MillraceModels
import MillraceSystem
import Testing

@testable import MillracePipeline

/// What watches over a stream and over what is published.
@Suite struct RunJudgingTests {
    @Test func aRiseOfTheMeanIsNoticedAndNoiseIsNot() {
        var random = SplitMix64(seed: 7)
        var watch = PageHinkley()
        let detection = DriftDetection(tolerance: 0.05, threshold: 3)
        var alarms: [Int] = []
        for step in 0..<2000 {
            let mean = step < 1000 ? 0.3 : 0.6
            let value = mean + (random.unit() - 0.5) * 0.2
            if watch.add(value, detection) != nil { alarms.append(step) }
        }
        // 0.3 a step above, less the tolerance, reaches 3 within some dozen steps.
        #expect(alarms.count == 1 && (1008...1030).contains(alarms.first ?? 0), "\(alarms)")
    }

    @Test func calibrationIsTheDistanceFromWhatHappened() {
        var metrics = ClassificationMetrics()
        for row in 0..<1000 { metrics.add(probability: 0.75, positive: row % 4 != 0) }
        #expect(metrics.calibrationError.map { $0 < 0.001 } == true)
        for row in 0..<1000 { metrics.add(probability: 0.25, positive: row % 4 != 0) }
        // Half of the rows are off by 0.5.
        #expect(metrics.calibrationError.map { abs($0 - 0.25) < 0.001 } == true)
    }

    @Test func heldOutLossesAreThoseOfTheModel() throws {
        let layer = DenseLayer(inputs: 1, outputs: 1, weights: [2], bias: [0])
        let model = try Model(
            input: InputStage(identity: 1), layers: [layer], head: .identity)
        var rows = HeldOutRows(width: 1, capacity: 10)
        var block = RowBlock()
        block.heldFeatures = [1, 2]
        block.heldLabels = [3, 4]
        rows.add(block)
        #expect(rows.loss(of: model, .squared) == 0.25)
        #expect(rows.loss(of: model, .huber(delta: 0.5)) == 0.1875)
        #expect(!rows.hasOneClass)
    }
}
