import MillraceCompute
import MillraceModels
import Testing

@Suite struct TrainerTests {
    static let objectives: [Objective] = [.regression, .logistic, .softmax(classes: 4)]

    private func labels(_ objective: Objective, _ rows: Int, _ draw: inout Draw) -> [Float] {
        (0..<rows).map { _ in
            objective.classes == 0
                ? draw.number() : Float(draw.integer(0...objective.classes - 1))
        }
    }

    @Test func statisticsAreThoseOfTheRowsBefore() throws {
        var options = TrainingOptions(.regression, features: 2)
        options.imputation = [.mean, .constant(7)]
        options.clip = 2
        var trainer = try Trainer(options)
        try trainer.learn([1, 5, 3, .nan, .nan, 5], [0, 0, 0])
        let stage = try trainer.model().input
        #expect(stage.mean == [2, 5] && stage.impute == [2, 7])
        // Deviation 1; and none, which leaves the unit as it is.
        #expect(stage.scale == [1, 1] && stage.limit == [2, 2])
        try trainer.learn([5, 6, 7, .nan], [0, 0])
        let later = try trainer.model().input
        #expect(later.mean == [4, 16.0 / 3])
        #expect(abs(later.scale[0] - 1 / Float(5).squareRoot()) < 1e-6)
    }

    /// OpenBLAS and all own kernels are engines of the same training.
    @Test(arguments: [UpdateMode.miniBatch, .sequential])
    func everyKernelSetLearnsTheSameButForRounding(_ mode: UpdateMode) throws {
        var draw = Draw(54)
        let rows = 60
        let features = (0..<rows * 7).map { _ in draw.number() }
        let labels = (0..<rows).map { features[$0 * 7] + features[$0 * 7 + 1] > 0 ? Float(1) : 0 }
        var outcomes: [(model: Model, loss: Double)] = []
        for kernels in KernelSet.available {
            var options = TrainingOptions(.logistic, features: 7)
            options.mode = mode
            options.optimizer = .sgd(rate: 0.3)
            if mode == .miniBatch { options.hidden = [11, 5] }
            var trainer = try Trainer(options, kernels: kernels)
            #expect(trainer.kernels == kernels)
            var loss = 0.0
            for _ in 0..<60 { loss = try trainer.learn(features, labels).loss }
            outcomes.append((try trainer.model(), loss))
        }
        let first = try #require(outcomes.first)
        #expect(outcomes.count > 1 && first.loss < 0.5)
        for other in outcomes.dropFirst() {
            #expect(abs(other.loss - first.loss) < 1e-4)
            for (mine, theirs) in zip(first.model.layers, other.model.layers) {
                #expect(zip(mine.weights, theirs.weights).allSatisfy { abs($0 - $1) < 1e-3 })
            }
        }
    }

    @Test func theBatchIsPredictedAsByTheModelBeforeIt() throws {
        var draw = Draw(53)
        var options = TrainingOptions(.softmax(classes: 3), features: 6)
        options.hidden = [9]
        var trainer = try Trainer(options)
        let rows = 20
        try trainer.learn(draw.features(rows * 6), labels(.softmax(classes: 3), rows, &draw))
        let before = PreparedModel(try trainer.model())
        let features = draw.features(rows * 6)
        try trainer.learn(features, labels(.softmax(classes: 3), rows, &draw))
        let expected = before.predict(features)
        let outputs = trainer.batchOutputs
        #expect(outputs.count == expected.count)
        for i in expected.indices { #expect(abs(outputs[i] - expected[i]) < 1e-5) }
    }

    @Test(arguments: objectives)
    func aCheckpointGoesOnBitForBit(objective: Objective) throws {
        let seed: UInt64 = 71
        var draw = Draw(seed)
        for round in 0..<5 {
            var options = TrainingOptions(objective, features: 7)
            options.hidden = round % 2 == 0 ? [] : [8, 5]
            options.regularization.l2 = 0.001
            options.schedule = .cosine(steps: 40)
            options.warmUpSteps = 5
            var whole = try Trainer(options)
            var parts = try Trainer(options)
            for _ in 0..<20 {
                let rows = draw.integer(1...30)
                let features = draw.features(rows * 7)
                let targets = labels(objective, rows, &draw)
                if draw.integer(0...2) == 0 {
                    parts = try Trainer(checkpoint: parts.checkpoint(), options)
                }
                #expect(try whole.learn(features, targets) == parts.learn(features, targets))
            }
            #expect(whole.checkpoint() == parts.checkpoint(), "seed \(seed), round \(round)")
            #expect(try whole.model() == parts.model())
            #expect(whole.classification == parts.classification)
            #expect(whole.regression == parts.regression)
        }
    }

    @Test func aDamagedCheckpointIsRefused() throws {
        var options = TrainingOptions(.logistic, features: 2)
        var trainer = try Trainer(options)
        try trainer.learn([1, 2, 3, 4], [0, 1])
        let bytes = trainer.checkpoint()
        for count in bytes.indices {
            #expect(throws: ModelError.self) {
                _ = try Trainer(checkpoint: Array(bytes[..<count]), options)
            }
        }
        #expect(throws: ModelError.self) { _ = try Trainer(checkpoint: bytes + [0], options) }
        // A bit that is flipped is refused or read, but never traps.
        var draw = Draw(89)
        for _ in 0..<2000 {
            var damaged = bytes
            damaged[draw.integer(0...bytes.count - 1)] ^= UInt8(1 << draw.integer(0...7))
            do { _ = try Trainer(checkpoint: damaged, options) } catch {}
        }
        options.optimizer = .adam(rate: 0.02)
        let error = #expect(throws: ModelError.self) {
            _ = try Trainer(checkpoint: bytes, options)
        }
        #expect(error?.code == .otherOptions)
    }

    @Test func badBatchesChangeNothing() throws {
        var trainer = try Trainer(TrainingOptions(.logistic, features: 2))
        try trainer.learn([1, 2, 3, 4], [0, 1])
        let before = trainer.checkpoint()
        for (features, label, code) in [
            ([1, 2], 2, .invalidLabel), ([1, 2], 0.5, .invalidLabel),
            ([1, 2], -1, .invalidLabel), ([1, 2], .nan, .invalidLabel),
            ([.infinity, 2], 1, .invalidFeature),
        ] as [([Float], Float, ModelError.Code)] {
            do {
                try trainer.learn(features, [label])
                Issue.record("accepted \(features) with \(label)")
            } catch let error as ModelError {
                #expect(error.code == code)
            }
        }
        #expect(try trainer.learn([], []).rows == 0)
        #expect(trainer.checkpoint() == before)
    }

    @Test func impossibleOptionsAreRefused() {
        func refused(_ change: (inout TrainingOptions) -> Void) -> Bool {
            var options = TrainingOptions(.logistic, features: 3)
            change(&options)
            do { _ = try Trainer(options) } catch { return error.code == .invalidOption }
            return false
        }
        #expect(refused { $0.optimizer = .adam(rate: 0) })
        #expect(refused { $0.optimizer = .sgd(rate: .nan) })
        #expect(refused { $0.optimizer = .adam(beta2: 1) })
        #expect(refused { $0.optimizer = .adagrad(epsilon: 0) })
        #expect(refused { $0.hidden = [0] })
        #expect(refused { $0.hidden = [1 << 20, 1 << 20] })
        #expect(refused { $0.objective = .softmax(classes: 1) })
        #expect(refused { $0.objective = .softmax(classes: .max) })
        #expect(refused { $0.objective = .softmax(classes: .min) })
        #expect(refused { $0.warmUpSteps = -1 })
        #expect(refused { $0.imputation = [] })
        #expect(refused { $0.imputation[1] = .constant(.nan) })
        #expect(refused { $0.clip = 0 })
        #expect(refused { $0.schedule = .cosine(steps: 0) })
        #expect(refused { $0.loss = .squared })
        #expect(refused { $0.classWeights = [1] })
        #expect(refused { $0.classWeights = [1, -1] })
        #expect(refused { $0.regularization.l1 = -1 })
        #expect(refused { $0.regularization.clipNorm = 0 })
        #expect(refused { $0.optimizer = .momentum(momentum: 1) })
        #expect(refused { $0.optimizer = .adamW(weightDecay: -1) })
        #expect(refused { $0.synchronization = .average(everyRows: 0) })
        #expect(refused { $0.schedule = .step(steps: 10, factor: 2) })
        #expect(
            refused {
                $0.mode = .sequential
                $0.hidden = [2]
            })
        #expect(
            refused {
                $0.optimizer = .ftrl()
                $0.hidden = [2]
            })
        #expect(
            refused {
                $0.optimizer = .ftrl()
                $0.warmUpSteps = 1
            })
        #expect(!refused { $0.clip = nil })
    }
}
