package import MillraceCompute

/// Finds between what each number lies that a model's layers take, on given rows.
///
/// Rows are scored in float32 by the portable kernels, so that every machine finds the same ranges.
/// Rows with a number that is not finite are left out.
///
/// **Thread-safety**: one owner.
package struct RangeFinder {
    private let model: Model
    private let layers: [PreparedModel]
    private var found: [LayerRange]

    /// For the layers of `model`.
    package init(_ model: Model) {
        self.model = model
        layers = model.layers.indices.map { PreparedModel(inputsOf: $0, of: model) }
        found = model.layers.map { LayerRange(width: $0.inputs) }
    }

    /// Widens the ranges to those of some more rows.
    ///
    /// - Complexity: O(rows · layers · weights).
    package mutating func add(_ features: borrowing FeatureMatrix) {
        for (index, layer) in layers.enumerated() {
            var workspace = ScoringWorkspace(for: layer)
            var inputs = [Float](repeating: 0, count: features.rows * layer.outputWidth)
            var target = inputs.mutableSpan
            layer.predict(features, into: &target, workspace: &workspace)
            for row in 0..<features.rows {
                let place = row * layer.outputWidth..<(row + 1) * layer.outputWidth
                guard inputs[place].allSatisfy(\.isFinite) else { continue }
                found[index].include(inputs.span.extracting(place))
            }
        }
    }

    /// The ranges; inputs that were never seen to vary have the mean range of their layer's others.
    package func ranges() -> [LayerRange] {
        found.enumerated().map { index, range in
            var range = range
            range.fillEmpty(isPositive: index > 0 && model.activation == .relu)
            return range
        }
    }
}

extension Model {
    /// Whether its layers can be in bytes that are spread over `ranges`.
    package func takes(_ ranges: [LayerRange]) -> Bool { PackedNetwork.fit(ranges, packed) }
}
