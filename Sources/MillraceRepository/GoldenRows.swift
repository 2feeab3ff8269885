internal import MillraceCompute
internal import MillraceModels
internal import MillraceSystem

/// Some rows of features with the predictions by definition, in double.
public struct GoldenRows: Codable, Sendable, Equatable {
    /// Raw features; nil where missing.
    public let rows: [[Float?]]
    /// What the model predicts by its definition.
    public let outputs: [[Double]]
    /// How far a float32 prediction may be off.
    public let tolerance: Double

    static let count = 32

    enum CodingKeys: CodingKey { case rows, outputs, tolerance }

    /// Rows that were written before.
    init(rows: [[Float?]], outputs: [[Double]], tolerance: Double) {
        self.rows = rows
        self.outputs = outputs
        self.tolerance = tolerance
    }

    /// Rows that are like those which the model was trained on, drawn from `seed`.
    ///
    /// The tolerance is eight times what the kernels of this processor are off, and at least 1e-5.
    init(_ model: Model, seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let input = model.input
        let rows = (0..<Self.count).map { _ in
            let features = (0..<input.width).map { i -> Float? in
                // Without another value in its place, outputs would be no numbers.
                if generator.unit() < 1.0 / 16, input.missing == .impute { return nil }
                guard input.scale[i] != 1 || input.mean[i] != 0 else {
                    return generator.unit() < 0.25 ? 1 : 0
                }
                let z = (0..<4).reduce(-2.0) { sum, _ in sum + generator.unit() }
                return Float(Double(input.mean[i]) + 2 * z / Double(input.scale[i]))
            }
            return Self.row(of: features, input)
        }
        let reference = ReferenceModel(model)
        let outputs = rows.map { reference.predict(Self.features($0)) }
        let errors = KernelSet.available.map {
            Self.error(PreparedModel(model, kernels: $0), rows, outputs)
        }
        self.rows = rows
        self.outputs = outputs
        tolerance = max(1e-5, 8 * errors.reduce(0) { $1 <= $0 ? $0 : $1 })
    }

    /// The row that these features are selected from, 0 elsewhere.
    private static func row(of features: [Float?], _ input: InputStage) -> [Float?] {
        guard let selection = input.selection else { return features }
        var row = [Float?](repeating: 0, count: selection.rowWidth)
        for (i, column) in selection.columns.enumerated() { row[column] = features[i] }
        return row
    }

    /// The largest difference of the predictions of `prepared`; infinite when the rows are not its.
    func error(of prepared: PreparedModel) -> Double {
        guard rows.allSatisfy({ $0.count == prepared.inputWidth }), rows.count == outputs.count,
            outputs.allSatisfy({ $0.count == prepared.outputWidth })
        else { return .infinity }
        return Self.error(prepared, rows, outputs)
    }

    private static func features(_ row: [Float?]) -> [Float] { row.map { $0 ?? .nan } }

    private static func error(
        _ prepared: PreparedModel, _ rows: [[Float?]], _ outputs: [[Double]]
    ) -> Double {
        let predicted = prepared.predict(rows.flatMap(features))
        let differences = zip(predicted, outputs.joined()).map { abs(Double($0) - $1) }
        return differences.allSatisfy(\.isFinite) ? differences.max() ?? 0 : .infinity
    }
}
