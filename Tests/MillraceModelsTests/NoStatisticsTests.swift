import MillraceCompute
import MillraceModels
import Testing

/// Trainings whose options need no statistics of the features: they keep none unless somebody
/// watches features, and learn from rows where they lie.
@Suite struct NoStatisticsTests {
    private static let width = 64

    static let cases = [
        TrainingCase(name: "row by row") { $0.mode = .sequential },
        TrainingCase(name: "row by row, L1") {
            $0.mode = .sequential
            $0.regularization.l1 = 1e-4
        },
        TrainingCase(name: "row by row, Adam") {
            $0.mode = .sequential
            $0.optimizer = .adam(rate: 0.01)
        },
        TrainingCase(name: "a linear model by batches") { _ in },
        TrainingCase(name: "layers") { $0.hidden = [16, 8] },
    ]

    private static func options(_ example: TrainingCase) -> TrainingOptions {
        var options = TrainingOptions(.logistic, features: width)
        options.optimizer = .sgd(rate: 0.01)
        options.scaledFeatures = [Bool](repeating: false, count: width)
        options.imputation = (0..<width).map { .constant(Float($0 % 5) / 4) }
        example.change(&options)
        return options
    }

    /// Rows `stride` apart with infinities between them, and the labels.
    private struct Rows {
        let stride: Int
        var features: [Float]
        var labels: [Float] = []

        init(_ seed: UInt64, count: Int, stride: Int = width, missing: Double = 0) {
            var draw = Draw(seed)
            self.stride = stride
            features = [Float](repeating: .infinity, count: count * stride)
            for row in 0..<count {
                for i in 0..<width {
                    let number = draw.number()
                    features[row * stride + i] =
                        Double(draw.number(0...1)) < missing ? .nan : number
                }
                labels.append(draw.number() > 0 ? 1 : 0)
            }
        }

        /// The same with numbers in the place of those that are missing.
        func imputed(_ options: TrainingOptions) -> Rows {
            var rows = self
            for place in features.indices where features[place].isNaN {
                if case .constant(let value) = options.imputation[place % stride] {
                    rows.features[place] = value
                }
            }
            return rows
        }

        func learn(_ trainer: inout Trainer) throws {
            _ = try trainer.learn(
                features.span, rows: labels.count, stride: stride, labels: labels.span)
        }

        func give(_ trainer: LaneTrainer) throws {
            trainer.contribute(
                LabelledRows(
                    features.span, rows: labels.count, stride: stride, labels: labels.span),
                to: 0)
            _ = try trainer.combine()
        }
    }

    @Test(arguments: KernelSet.available, cases)
    func whatStandsForMissingNumbersIsLearnt(_ kernels: KernelSet, _ example: TrainingCase) throws {
        let options = Self.options(example)
        for (missing, stride) in [(0.0, Self.width), (0.001, Self.width), (0.2, Self.width + 3)] {
            var trainer = try Trainer(options, kernels: kernels)
            var other = try Trainer(options, kernels: kernels)
            for (seed, count) in [40, 1, 7, 22].enumerated() {
                var rows = Rows(UInt64(seed), count: count, stride: stride, missing: missing)
                // Some among rows that begin with none.
                if missing > 0, count > 22 {
                    for row in 0..<16 { rows.features[row * stride + 1] = 0.5 }
                    rows.features[22 * stride + 63] = .nan
                }
                try rows.learn(&trainer)
                try rows.imputed(options).learn(&other)
                let pair = (Array(trainer), Array(other))
                #expect(pair.0 == pair.1)
            }
            let weights = (try trainer.model().layers, try other.model().layers)
            for (found, expected) in zip(weights.0, weights.1) {
                #expect(found.weights == expected.weights && found.bias == expected.bias)
            }
        }
    }

    /// Even where ReLU lets nothing of it through, and where a weight of zero makes it no number.
    @Test(arguments: KernelSet.available, cases)
    func infiniteFeaturesChangeNothing(_ kernels: KernelSet, _ example: TrainingCase) throws {
        var trainer = try Trainer(Self.options(example), kernels: kernels)
        for round in 0..<3 {
            let before = trainer.checkpoint()
            for (row, feature) in [(0, 63), (5, 17), (11, 0), (12, 40)] {
                for infinity in [Float.infinity, -.infinity] {
                    var rows = Rows(UInt64(round), count: 13, missing: round == 2 ? 0.01 : 0)
                    rows.features[row * rows.stride + feature] = infinity
                    rows.features[12 * rows.stride + 63] = infinity
                    do {
                        try rows.learn(&trainer)
                        Issue.record("accepted row \(row), feature \(feature)")
                    } catch let error as ModelError {
                        #expect(error.code == .invalidFeature)
                        #expect(error.description.contains("feature \(feature) "))
                    }
                    #expect(Array(trainer).isEmpty)
                }
            }
            #expect(trainer.checkpoint() == before)
            try Rows(UInt64(10 + round), count: 30).learn(&trainer)
        }
    }

    @Test(arguments: cases)
    func watchingFeaturesDecidesNoBitOfTheModel(_ example: TrainingCase) throws {
        let options = Self.options(example)
        let plain = try LaneTrainer(options, lanes: 1)
        let watching = try LaneTrainer(options, lanes: 1, watchesFeatures: true)
        for seed in 0..<6 {
            var rows = Rows(UInt64(seed), count: 30, missing: seed % 2 == 0 ? 0 : 0.02)
            if seed == 5 { for row in 0..<30 { rows.features[row * rows.stride + 9] += 40 } }
            try rows.give(plain)
            try rows.give(watching)
            let shift = watching.takeShift()
            #expect(seed < 5 || shift?.feature == 9)
        }
        let found = (try plain.model(), try watching.model())
        for (layer, other) in zip(found.0.layers, found.1.layers) {
            #expect(layer.weights == other.weights && layer.bias == other.bias)
        }
    }

    /// A checkpoint with statistics, as trainers once kept them whether they were needed or not, is
    /// gone on from as one without.
    @Test(arguments: cases)
    func checkpointsGoOnWithStatisticsAndWithout(_ example: TrainingCase) throws {
        let options = Self.options(example)
        let first = (
            try LaneTrainer(options, lanes: 1),
            try LaneTrainer(options, lanes: 1, watchesFeatures: true)
        )
        for seed in 0..<3 {
            try Rows(UInt64(seed), count: 20).give(first.0)
            try Rows(UInt64(seed), count: 20).give(first.1)
        }
        let watching = try LaneTrainer(
            checkpoint: first.1.checkpoint(), options, lanes: 1, watchesFeatures: true)
        let others = [
            try LaneTrainer(checkpoint: first.0.checkpoint(), options, lanes: 1),
            try LaneTrainer(checkpoint: first.1.checkpoint(), options, lanes: 1),
        ]
        for trainer in [first.0, first.1, watching] + others {
            for seed in 3..<6 { try Rows(UInt64(seed), count: 20).give(trainer) }
        }
        #expect(others[0].checkpoint() == first.0.checkpoint())
        #expect(watching.checkpoint() == first.1.checkpoint())
        let layers = (try first.0.model().layers, try others[1].model().layers)
        for (layer, other) in zip(layers.0, layers.1) {
            #expect(layer.weights == other.weights && layer.bias == other.bias)
        }
        #expect(others[1].rowsSeen == first.0.rowsSeen && others[1].steps == first.0.steps)
    }
}

extension Array<Float> {
    /// The predictions of the batch last given to a trainer.
    fileprivate init(_ trainer: borrowing Trainer) {
        let outputs = trainer.batchOutputs
        self = outputs.indices.map { outputs[$0] }
    }
}
