internal import MillraceModels

/// What is known of the rows learnt from since the last record, each predicted before it was learnt.
struct MetricsWindow {
    private let objective: Objective
    private var total = WindowSums()
    private var scores: [Float] = []
    /// A place for each score, and behind them what there is room for.
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
        guard !scores.isEmpty else { return nil }
        return ExactAUC.compute(
            scores: scores.span, positives: positives.span.extracting(0..<scores.count))
    }

    /// The mean distance of stated probabilities from what happened, over ten groups.
    var calibrationError: Double? {
        guard !scores.isEmpty else { return nil }
        var calibration = CalibrationGroups()
        calibration.add(
            probabilities: scores.span, positives: positives.span.extracting(0..<scores.count))
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
        let kept = scores.count
        if objective.outputs == 1 {
            scores.append(contentsOf: outputs)
        } else {
            scores.append(contentsOf: outputs.enumerated().lazy.filter { $0.0 % 2 == 1 }.map(\.1))
        }
        let end = scores.count
        let missing = end - positives.count
        if missing > 0 {
            positives.append(contentsOf: repeatElement(false, count: max(missing, kept)))
        }
        var all = positives.mutableSpan
        var target = all._mutatingExtracting(kept..<end)
        for row in 0..<target.count { target[row] = labels[row] == 1 }
    }

    mutating func merge(_ other: MetricsWindow) {
        total.rows += other.total.rows
        total.loss += other.total.loss
        total.squares += other.total.squares
        total.correct += other.total.correct
        positives.removeLast(positives.count - scores.count)
        positives += other.positives.prefix(other.scores.count)
        scores += other.scores
    }
}
