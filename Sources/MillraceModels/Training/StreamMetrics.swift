/// What is known of the predictions of rows before they were learnt, over the life of a lane.
struct StreamMetrics: Sendable, Equatable {
    private(set) var rows = 0
    private(set) var lossSum = 0.0
    private(set) var classification: ClassificationMetrics?
    private(set) var regression: RegressionMetrics?

    init(_ objective: Objective) {
        let classes = objective.classes
        classification = classes > 0 ? ClassificationMetrics(classes: classes) : nil
        regression = classes > 0 ? nil : RegressionMetrics()
    }

    /// Counts judged rows.
    mutating func count(
        _ logits: [Float], labels: Span<Float>, _ evaluation: BatchEvaluation,
        _ objective: Objective
    ) {
        rows += evaluation.rows
        lossSum += evaluation.plainLossSum
        switch objective {
        case .regression:
            for row in 0..<evaluation.rows {
                regression?.add(predicted: Double(logits[row]), actual: Double(labels[row]))
            }
        case .logistic:
            classification?.add(evaluation)
            classification?.place(logOdds: logits, labels: labels, rows: evaluation.rows)
        case .softmax(classes: 2):
            classification?.add(evaluation)
            for row in 0..<evaluation.rows {
                let odds = Double(logits[2 * row + 1]) - Double(logits[2 * row])
                classification?.place(logOdds: odds, positive: labels[row] == 1)
            }
        case .softmax:
            classification?.add(evaluation)
        }
    }

    mutating func merge(_ other: StreamMetrics) {
        rows += other.rows
        lossSum += other.lossSum
        if let found = other.classification { classification?.merge(found) }
        if let found = other.regression { regression?.merge(found) }
    }

    func encode(into writer: inout ByteWriter) {
        writer.append(UInt64(rows))
        writer.append([lossSum])
        classification?.encode(into: &writer)
        regression?.encode(into: &writer)
    }

    init(_ objective: Objective, from reader: inout ByteReader) throws(ModelError) {
        self.init(objective)
        rows = try reader.count("the number of rows", atMost: 1 << 60)
        lossSum = try reader.doubles(1, "the sum of losses")[0]
        try classification?.decode(from: &reader)
        try regression?.decode(from: &reader)
    }
}
