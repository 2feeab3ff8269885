internal import MillraceModels

/// What is known of the rows learnt from since the last record, each predicted before it was learnt.
struct MetricsWindow {
    private let objective: Objective
    private var total = WindowSums()
    private var scores: [Float] = []
    private var positives: [Bool] = []

    private struct WindowSums {
        var rows = 0
        var loss = 0.0
        var squares = 0.0
        var correct = 0
    }

    init(_ objective: Objective) { self.objective = objective }

    var rows: Int { total.rows }
    var loss: Double { total.loss / Double(total.rows) }
    var accuracy: Double? {
        objective.classes > 0 ? Double(total.correct) / Double(total.rows) : nil
    }
    var rmse: Double? {
        objective.classes > 0 ? nil : (total.squares / Double(total.rows)).squareRoot()
    }
    var auc: Double? {
        scores.isEmpty ? nil : ExactAUC.compute(scores: scores, positives: positives)
    }

    /// The mean distance of stated probabilities from what happened, over ten groups.
    var calibrationError: Double? {
        guard !scores.isEmpty else { return nil }
        var calibration = CalibrationGroups()
        calibration.add(probabilities: scores.span, positives: positives.span)
        return calibration.error
    }

    mutating func add(_ evaluation: BatchEvaluation) {
        total.rows += evaluation.rows
        total.loss += evaluation.plainLossSum
        total.squares += evaluation.squareSum
        total.correct += evaluation.correct
    }

    /// Keeps the predictions of rows, for two classes.
    mutating func add(_ outputs: ArraySlice<Float>, labels: Span<Float>) {
        guard objective.classes == 2 else { return }
        if objective.outputs == 1 {
            scores.append(contentsOf: outputs)
        } else {
            scores.append(contentsOf: outputs.enumerated().lazy.filter { $0.0 % 2 == 1 }.map(\.1))
        }
        let begin = positives.count
        let added = scores.count - begin
        positives.append(contentsOf: repeatElement(false, count: added))
        var all = positives.mutableSpan
        var target = all._mutatingExtracting(begin...)
        for row in 0..<added { target[row] = labels[row] == 1 }
    }

    mutating func merge(_ other: MetricsWindow) {
        total.rows += other.total.rows
        total.loss += other.total.loss
        total.squares += other.total.squares
        total.correct += other.total.correct
        scores += other.scores
        positives += other.positives
    }
}
