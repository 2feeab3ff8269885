import MillraceModels
import MillraceSystem
import Testing

/// What trainers that exchange make of each other's models and statistics.
@Suite struct SharedModelTests {
    private static let width = 3

    private static func options(
        _ change: (inout TrainingOptions) -> Void = { _ in }
    ) -> TrainingOptions {
        var options = TrainingOptions(.logistic, features: width)
        options.clip = nil
        change(&options)
        return options
    }

    private static func trainer(
        _ options: TrainingOptions, on average: SharedModel? = nil
    ) throws -> LaneTrainer {
        let trainer = try LaneTrainer(options, lanes: 1)
        trainer.begin(with: average ?? SharedModel(options), former: nil)
        return trainer
    }

    /// Has a trainer learn rows that a seed stands for, far from zero and of one trainer's own.
    private static func learn(_ trainer: LaneTrainer, seed: UInt64, rows: Int) throws {
        var draw = Draw(seed)
        let features = (0..<rows * width).map { _ in draw.number(1...2) + Float(seed) }
        let labels = (0..<rows).map { features[$0 * width] > Float(seed) + 1.5 ? Float(1) : 0 }
        trainer.contribute(
            LabelledRows(features.span, rows: rows, stride: width, labels: labels.span), to: 0)
        _ = try trainer.combine()
    }

    private static func average(_ trainers: [LaneTrainer]) -> SharedModel {
        SharedModel(
            averaging: trainers.enumerated().map {
                (TrainerID(name: "t\($0)", life: 1), $1.contribution())
            }, others: [])
    }

    private static func weights(_ model: Model) -> [Float] {
        model.layers.flatMap { $0.weights + $0.bias }
    }

    /// The weights are those of the trainers, each by its new rows; statistics are those of all rows,
    /// each once, however often averages are taken.
    @Test func weightsAndStatistics() throws {
        let options = Self.options()
        let (first, second) = (try Self.trainer(options), try Self.trainer(options))
        let whole = try LaneTrainer(options, lanes: 1)
        for round in 0..<3 {
            for seed in [1, 2] as [UInt64] {
                let rows = 40 * Int(seed) + round
                let one = seed == 1 ? first : second
                try Self.learn(one, seed: seed, rows: rows)
                try Self.learn(whole, seed: seed, rows: rows)
            }
            let shares = [first.newRows, second.newRows].map { Double($0) }
            let parts = try [first, second].map { Self.weights(try $0.model()) }
            let average = Self.average([first, second])
            let found = Self.weights(try average.model())
            for index in found.indices {
                let wanted =
                    (Double(parts[0][index]) * shares[0] + Double(parts[1][index]) * shares[1])
                    / (shares[0] + shares[1])
                #expect(abs(Double(found[index]) - wanted) <= 1e-6)
            }
            first.adopt(average)
            second.adopt(average)
            #expect(average.rows == whole.rowsSeen && first.newRows == 0)
            let (input, wanted) = (try average.model().input, try whole.model().input)
            for column in 0..<Self.width {
                #expect(abs(input.mean[column] / wanted.mean[column] - 1) < 1e-5)
                #expect(abs(input.scale[column] / wanted.scale[column] - 1) < 1e-4)
            }
            #expect(try first.model() == second.model() && first.model() == average.model())
        }
    }

    static let optimizers: [Optimizer] = [
        .sgd(rate: 0.1), .momentum(), .adam(), .adagrad(), .ftrl(),
    ]

    /// A model that learns row by row has a contribution of its own kind.
    @Test func rowByRow() throws {
        let options = Self.options {
            $0.optimizer = .sgd(rate: 0.05)
            $0.mode = .sequential
            $0.regularization = Regularization(l1: 1e-3, l2: 1e-3)
        }
        let (late, other) = (try Self.trainer(options), try Self.trainer(options))
        try Self.learn(late, seed: 1, rows: 64)
        try Self.learn(other, seed: 2, rows: 64)
        let bytes = late.contribution().encoded()
        #expect(bytes.count == ModelContribution.byteCount(options))
        let average = SharedModel(
            averaging: [(TrainerID(name: "t1", life: 1), other.contribution())], others: [])
        let before = Self.weights(try late.model())
        late.move(to: average)
        let after = Self.weights(try late.model())
        for (index, weight) in Self.weights(try average.model()).enumerated() {
            #expect(abs(after[index] - (before[index] + weight)) < 1e-6)
        }
        let moved = late.contribution().encoded()
        #expect(try ModelContribution(moved, options).encoded() == moved)
    }

    /// Who was late keeps what it has learnt, on top of the others' average; its rows count once.
    @Test(arguments: optimizers)
    func whoIsLateMovesOn(_ optimizer: Optimizer) throws {
        let options = Self.options { $0.optimizer = optimizer }
        let (late, other) = (try Self.trainer(options), try Self.trainer(options))
        try Self.learn(late, seed: 1, rows: 64)
        try Self.learn(other, seed: 2, rows: 64)
        // Only the other takes part.
        let average = SharedModel(
            averaging: [(TrainerID(name: "t1", life: 1), other.contribution())], others: [])
        let before = Self.weights(try late.model())
        late.move(to: average)
        let start = Self.weights(try SharedModel(options).model())
        let target = Self.weights(try average.model())
        let after = Self.weights(try late.model())
        for index in after.indices {
            #expect(abs(after[index] - (before[index] + target[index] - start[index])) < 1e-6)
        }
        #expect(late.newRows == 64 && late.contribution().lifeRows == 64)
        // Both learn on, and come together.
        other.adopt(average)
        try Self.learn(late, seed: 1, rows: 32)
        try Self.learn(other, seed: 2, rows: 32)
        let both = Self.average([late, other])
        #expect(both.rows == 192 && both.shares.map(\.rows) == [96, 96])
        // Sums of squared gradients stay what they can be: the state is one that can be read.
        let bytes = late.contribution().encoded()
        #expect(try ModelContribution(bytes, options).encoded() == bytes)
        #expect(bytes.count == ModelContribution.byteCount(options))
        late.adopt(both)
        #expect(try late.model() == both.model())
    }

    /// A checkpoint between two averages holds all that the next one follows from.
    @Test func checkpoints() throws {
        let options = Self.options { $0.hidden = [4] }
        let (first, second) = (try Self.trainer(options), try Self.trainer(options))
        try Self.learn(first, seed: 1, rows: 50)
        try Self.learn(second, seed: 2, rows: 70)
        let average = Self.average([first, second])
        first.adopt(average)
        try Self.learn(first, seed: 3, rows: 20)
        let bytes = first.checkpoint()
        let again = try LaneTrainer(
            checkpoint: bytes, options, lanes: 1, exchanges: true)
        #expect(again.checkpoint() == bytes && again.newRows == 20)
        #expect(again.average?.encoded() == average.encoded())
        #expect(again.contribution().encoded() == first.contribution().encoded())
        #expect(try first.snapshot().model() == average.model())
        // One is not taken for the other.
        for (bytes, exchanges) in [(bytes, false), (try plain(options).checkpoint(), true)] {
            let error = #expect(throws: ModelError.self) {
                _ = try LaneTrainer(checkpoint: bytes, options, lanes: 1, exchanges: exchanges)
            }
            #expect(error?.code == .malformedCheckpoint)
        }
        for count in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: ModelError.self) {
                _ = try LaneTrainer(
                    checkpoint: Array(bytes[..<count]), options, lanes: 1, exchanges: true)
            }
        }
    }

    private func plain(_ options: TrainingOptions) throws -> LaneTrainer {
        try LaneTrainer(options, lanes: 1)
    }

    /// Trainers of other options are told apart.
    @Test func checksums() {
        let one = Self.options()
        #expect(one.checksum == Self.options().checksum)
        #expect(one.checksum != Self.options { $0.seed = 2 }.checksum)
        #expect(one.checksum != Self.options { $0.batchRows = 64 }.checksum)
        #expect(one.checksum != TrainingOptions(.logistic, features: 4).checksum)
    }
}
