internal import MillraceModels

/// What is known of the rows learnt from since the last record, each predicted before it was learnt.
struct MetricsWindow {
    private let objective: Objective
    private(set) var rows = 0
    private var lossSum = 0.0
    private var squareSum = 0.0
    private var correct = 0

    init(_ objective: Objective) { self.objective = objective }

    var loss: Double { lossSum / Double(rows) }
    var accuracy: Double? { objective.classes > 0 ? Double(correct) / Double(rows) : nil }
    var rmse: Double? { objective.classes > 0 ? nil : (squareSum / Double(rows)).squareRoot() }

    mutating func add(_ evaluation: BatchEvaluation) {
        rows += evaluation.rows
        lossSum += evaluation.plainLossSum
        squareSum += evaluation.squareSum
        correct += evaluation.correct
    }

    mutating func merge(_ other: MetricsWindow) {
        rows += other.rows
        lossSum += other.lossSum
        squareSum += other.squareSum
        correct += other.correct
    }
}
