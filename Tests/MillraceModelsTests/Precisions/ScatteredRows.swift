import MillraceModels
import Testing

extension PreparedModel {
    /// The outputs of rows `stride` floats apart, with `gap` between them.
    func predict(_ rows: [[Float]], stride: Int, gap: Float) -> [Float] {
        var features = [Float](repeating: gap, count: rows.count * stride)
        for (row, values) in rows.enumerated() {
            for (i, value) in values.enumerated() { features[row * stride + i] = value }
        }
        var workspace = ScoringWorkspace(for: self)
        var outputs = [Float](repeating: -1, count: rows.count * outputWidth)
        var target = outputs.mutableSpan
        predict(
            features.span, rows: rows.count, stride: stride, into: &target, workspace: &workspace)
        return outputs
    }
}

extension Float {
    /// Whether it has the same bits, or both are NaN.
    func isSame(as other: Float) -> Bool { bitPattern == other.bitPattern || isNaN && other.isNaN }
}

/// Expects the outputs of `rows` rows to be the same as those by a definition.
func expectSame(_ found: [Float], _ expected: [Float], _ model: Model, rows: Int) {
    let wrong = expected.indices.first { !expected[$0].isSame(as: found[$0]) }
    #expect(
        wrong == nil,
        """
        \(model.layers.map(\.inputs)) of \(rows) rows, output \(wrong ?? 0): \
        \(wrong.map { found[$0] } ?? 0), not \(wrong.map { expected[$0] } ?? 0)
        """)
}
