internal import BenchmarkSupport
internal import CInferencePeers
internal import MillraceModels

/// What is learnt, and from memory.
enum Work: String, CaseIterable {
    /// Logistic regression, one step of SGD for each row.
    case logistic
    /// MLP 64-128-64-10, Adam, one step for each 256 rows.
    case mlp

    static let rate = 0.01

    /// With a scaler, features are standardised by the statistics so far, though they are already.
    func options(scaler: Bool) -> TrainingOptions {
        var options: TrainingOptions
        switch self {
        case .logistic:
            options = TrainingOptions(.logistic, features: Rows.columns)
            options.mode = .sequential
            options.optimizer = .sgd(rate: Self.rate)
        case .mlp:
            options = TrainingOptions(.softmax(classes: 10), features: Rows.columns)
            options.hidden = [128, 64]
            options.optimizer = .adam(rate: 0.001)
        }
        options.batchRows = Rows.batch
        guard !scaler else { return options }
        options.scaledFeatures = [Bool](repeating: false, count: Rows.columns)
        options.imputation = [Imputation](repeating: .constant(0), count: Rows.columns)
        return options
    }

    /// Multiplications and additions for a row: forward, gradient, and what goes back from all layers
    /// but the first.
    var operationsPerRow: Double {
        switch self {
        case .logistic: 4 * 64
        case .mlp: 4 * 64 * 128 + 6 * (128 * 64 + 64 * 10)
        }
    }

    func labels(_ rows: Rows) -> [Float] { self == .mlp ? rows.digits : rows.halves }

    /// How many rows a trainer is given at once where nothing else is said: of the perceptron, those of
    /// a step; a step for each row comes to the same however many they are.
    private var rowsAtOnce: Int { self == .mlp ? Rows.batch : 4 * Rows.batch }

    /// Nanoseconds a row, the loss of the last rows, and the model.
    func train(
        _ rows: Rows, scaler: Bool, atOnce: Int? = nil
    ) throws -> (time: Double, loss: Double, model: Model) {
        let labels = labels(rows)
        var trainer = try Trainer(options(scaler: scaler))
        var loss = 0.0
        let rowsAtOnce = atOnce ?? self.rowsAtOnce
        let begin = ip_now()
        for first in stride(from: 0, to: rows.count, by: rowsAtOnce) {
            let part = rows.features.span.extracting(
                first * Rows.columns..<(first + rowsAtOnce) * Rows.columns)
            loss =
                try trainer.learn(
                    part, rows: rowsAtOnce, stride: Rows.columns,
                    labels: labels.span.extracting(first..<first + rowsAtOnce)
                ).loss
        }
        let time = Double(ip_now() - begin) / Double(rows.count)
        return (time, loss, try trainer.model())
    }
}
