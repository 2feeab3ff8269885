import MillraceModels
import MillraceSystem
import Testing

/// Several lanes, several threads: the same bits however many threads there are.
@Suite struct LaneTrainerTests {
    private static let lanes = 4
    private static let width = 12

    static let cases = [
        TrainingCase(name: "reduce") { $0.hidden = [16, 8] },
        TrainingCase(name: "reduce, clipped") {
            $0.optimizer = .momentum(rate: 0.05)
            $0.regularization = Regularization(l1: 1e-4, l2: 1e-4, clipNorm: 0.5)
        },
        TrainingCase(name: "average") {
            $0.hidden = [16, 8]
            $0.synchronization = .average(everyRows: 256)
        },
        TrainingCase(name: "average, row by row") {
            $0.optimizer = .sgd(rate: 0.05)
            $0.mode = .sequential
            $0.regularization.l2 = 1e-3
            $0.synchronization = .average(everyRows: 256)
        },
    ]

    private static func options(_ example: TrainingCase) -> TrainingOptions {
        var options = TrainingOptions(.logistic, features: width)
        example.change(&options)
        return options
    }

    /// The rows of a lane in a round: of different numbers, some rounds without any.
    private static func rows(_ lane: Int, _ round: Int) -> (features: [Float], labels: [Float]) {
        var draw = Draw(UInt64(1000 * round + lane))
        let count = (round + lane) % 5 == 0 ? 0 : draw.integer(1...40)
        let features = draw.features(count * width)
        let labels = (0..<count).map { row -> Float in
            let x = features[row * width]
            return (x.isNaN ? 0 : x) + draw.number() > 0 ? 1 : 0
        }
        return (features, labels)
    }

    /// Trains by rounds on so many threads; each has every so-manieth lane.
    private static func train(
        _ trainer: LaneTrainer, rounds: Range<Int>, threads: Int
    ) throws {
        let barrier = PhaseBarrier(parties: threads)
        let pool = try (0..<threads).map { thread in
            try PinnedThread(name: "lane", core: nil) {
                for round in rounds {
                    for lane in stride(from: thread, to: lanes, by: threads) {
                        // Local learning takes several batches a round.
                        for part in 0..<2 {
                            let rows = rows(lane, 2 * round + part)
                            if trainer.options.synchronization == .reduce, part == 1 { continue }
                            trainer.contribute(
                                LabelledRows(
                                    rows.features.span, rows: rows.labels.count, stride: width,
                                    labels: rows.labels.span), to: lane)
                        }
                    }
                    barrier.arrive {
                        do { _ = try trainer.combine() } catch { Issue.record("\(error)") }
                    }
                }
            }
        }
        for thread in pool { thread.join() }
    }

    @Test(arguments: cases)
    func threadsDecideNoBit(_ example: TrainingCase) throws {
        var results: [[UInt8]] = []
        for threads in [1, 2, 4] {
            let trainer = try LaneTrainer(Self.options(example), lanes: Self.lanes)
            try Self.train(trainer, rounds: 0..<30, threads: threads)
            #expect(trainer.rowsSeen > 1000)
            results.append(trainer.checkpoint())
        }
        #expect(results[1] == results[0], "two threads")
        #expect(results[2] == results[0], "four threads")
        // What was learnt is worth something.
        let trainer = try LaneTrainer(
            checkpoint: results[0], Self.options(example), lanes: Self.lanes)
        #expect(trainer.metrics.classification.map { $0.accuracy > 0.6 } == true)
    }

    @Test(arguments: cases)
    func aCheckpointGoesOnBitForBit(_ example: TrainingCase) throws {
        let options = Self.options(example)
        let whole = try LaneTrainer(options, lanes: Self.lanes)
        try Self.train(whole, rounds: 0..<20, threads: 2)
        let first = try LaneTrainer(options, lanes: Self.lanes)
        try Self.train(first, rounds: 0..<7, threads: 4)
        let second = try LaneTrainer(
            checkpoint: first.checkpoint(), options, lanes: Self.lanes)
        try Self.train(second, rounds: 7..<20, threads: 1)
        #expect(second.checkpoint() == whole.checkpoint())
        #expect(throws: ModelError.self) {
            _ = try LaneTrainer(checkpoint: first.checkpoint(), options, lanes: 3)
        }
    }

    /// The gradient of all lanes together is that of all rows at once, up to rounding.
    @Test func reducingIsLearningFromAllRowsAtOnce() throws {
        var options = TrainingOptions(.logistic, features: Self.width)
        options.scaledFeatures = [Bool](repeating: false, count: Self.width)
        options.imputation = [Imputation](repeating: .constant(0), count: Self.width)
        options.optimizer = .sgd(rate: 0.1)
        let lanes = try LaneTrainer(options, lanes: Self.lanes)
        var alone = try Trainer(options)
        for round in 0..<10 {
            var features: [Float] = []
            var labels: [Float] = []
            for lane in 0..<Self.lanes {
                let rows = Self.rows(lane, round)
                lanes.contribute(
                    LabelledRows(
                        rows.features.span, rows: rows.labels.count, stride: Self.width,
                        labels: rows.labels.span), to: lane)
                features += rows.features
                labels += rows.labels
            }
            let evaluation = try lanes.combine()
            let expected = try alone.learn(features, labels)
            #expect(abs(evaluation.loss - expected.loss) < 1e-5)
        }
        let (a, b) = (try lanes.model().layers[0], try alone.model().layers[0])
        for (x, y) in zip(a.weights + a.bias, b.weights + b.bias) { #expect(abs(x - y) < 1e-5) }
    }

    /// Means and deviations are those of all rows, whichever lane they came to.
    @Test(arguments: [Synchronization.reduce, .average(everyRows: 64)])
    func statisticsAreThoseOfAllRows(_ synchronization: Synchronization) throws {
        var options = TrainingOptions(.logistic, features: Self.width)
        options.synchronization = synchronization
        let lanes = try LaneTrainer(options, lanes: Self.lanes)
        var alone = try Trainer(options)
        for round in 0..<8 {
            for lane in 0..<Self.lanes {
                let rows = Self.rows(lane, round)
                lanes.contribute(
                    LabelledRows(
                        rows.features.span, rows: rows.labels.count, stride: Self.width,
                        labels: rows.labels.span), to: lane)
                try alone.learn(rows.features, rows.labels)
            }
            _ = try lanes.combine()
        }
        let (found, expected) = (try lanes.model().input, try alone.model().input)
        for i in 0..<Self.width {
            #expect(abs(found.mean[i] - expected.mean[i]) < 1e-6 && expected.mean[i] != 0)
            #expect(abs(found.scale[i] - expected.scale[i]) < 1e-6 && expected.scale[i] != 1)
        }
    }

    /// Models become one by their shares of the rows.
    @Test func averagesAreWeightedByRows() throws {
        var options = TrainingOptions(.regression, features: 1)
        options.scaledFeatures = [false]
        options.optimizer = .sgd(rate: 0.1)
        options.mode = .sequential
        options.synchronization = .average(everyRows: 4)
        let trainer = try LaneTrainer(options, lanes: 2)
        // From zero: one row moves the bias by 0.1 * label, the weight not at all.
        let zeros: [Float] = [0, 0, 0]
        for (lane, labels) in [[1], [-2, 0, 0]].enumerated() {
            let given = labels.map(Float.init)
            trainer.contribute(
                LabelledRows(zeros.span, rows: given.count, stride: 1, labels: given.span), to: lane
            )
        }
        _ = try trainer.combine()
        // -0.2 decays towards 0 by a tenth of the error twice.
        let bias = try trainer.model().layers[0].bias[0]
        #expect(abs(Double(bias) - (0.25 * 0.1 + 0.75 * -0.2 * 0.81)) < 1e-7)
    }

    @Test func aFailureOfOneLaneIsSaid() throws {
        let trainer = try LaneTrainer(
            TrainingOptions(.logistic, features: 1), lanes: 2)
        let before = trainer.checkpoint()
        let good: [Float] = [1]
        let bad: [Float] = [3]
        trainer.contribute(
            LabelledRows(good.span, rows: 1, stride: 1, labels: bad.span), to: 1)
        let error = #expect(throws: ModelError.self) { _ = try trainer.combine() }
        #expect(error?.code == .invalidLabel)
        #expect(trainer.checkpoint() == before)
        trainer.contribute(
            LabelledRows(good.span, rows: 1, stride: 1, labels: good.span), to: 0)
        #expect(try trainer.combine().rows == 1)
    }

    /// Whoever forgives a lane goes on as if the rows had not been given.
    @Test(arguments: cases)
    func rowsWithAnInfiniteFeatureChangeNothing(_ example: TrainingCase) throws {
        let options = Self.options(example)
        let trainers = try (0..<2).map { _ in try LaneTrainer(options, lanes: 2) }
        for round in 0..<4 {
            let rows = Self.rows(1, round)
            guard !rows.labels.isEmpty else { continue }
            for (number, trainer) in trainers.enumerated() {
                func give(_ features: [Float]) {
                    trainer.contribute(
                        LabelledRows(
                            features.span, rows: rows.labels.count, stride: Self.width,
                            labels: rows.labels.span), to: 0)
                }
                // Where lanes learn batch by batch, one before and one behind.
                let isAverage = options.synchronization != .reduce
                if isAverage { give(rows.features) }
                if number == 0 {
                    var bad = rows.features
                    bad[bad.count - 1] = round % 2 == 0 ? .infinity : -.infinity
                    give(bad)
                    #expect(!trainer.hasTaken(0) && trainer.takeInfinity(of: 0))
                }
                #expect(!trainer.takeInfinity(of: 0))
                give(rows.features)
                _ = try trainer.combine()
            }
        }
        #expect(trainers[0].rowsSeen > 0)
        #expect(trainers[0].checkpoint() == trainers[1].checkpoint())
    }
}
