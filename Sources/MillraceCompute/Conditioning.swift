/// What a missing feature (NaN) leads to.
///
/// Raw values are those of the C kernels.
package enum MissingRule: Int32, Sendable {
    case propagate = 0
    case impute = 1
    case reject = 2
}

/// What each row of features is divided by, after everything else.
///
/// Raw values are those of the C kernels.
package enum RowNorm: Int32, Sendable {
    case none = 0
    case l1 = 1
    case l2 = 2
    case max = 3
}

/// What becomes of a network's last outputs.
///
/// Raw values are those of the C kernels.
package enum NetworkHead: Int32, Sendable {
    case none = 0
    case softmax = 1
    /// Each divided by their sum.
    case shares = 2
}

/// How raw features become the input of the first layer, feature by feature:
/// `clamp((missing ? impute : x) - mean, -limit, limit) * scale`.
package struct Conditioning: Sendable {
    package var impute: [Float]
    package var mean: [Float]
    package var limit: [Float]
    package var scale: [Float]
    package var missing = MissingRule.impute
    package var norm = RowNorm.none
    /// For each feature its column in the source's rows; nil for all columns in their order.
    package var select: [Int]?
    /// Columns of the source's rows.
    package var rowWidth: Int

    /// All of the same length.
    package init(impute: [Float], mean: [Float], limit: [Float], scale: [Float]) {
        precondition(
            impute.count == mean.count && mean.count == limit.count && limit.count == scale.count,
            "a conditioning needs as many numbers of each kind as there are features")
        self.impute = impute
        self.mean = mean
        self.limit = limit
        self.scale = scale
        rowWidth = impute.count
    }

    package var width: Int { impute.count }

    /// Whether the first layer can take the features where they are; its weights hold the scales.
    var isPlain: Bool {
        missing == .propagate && norm == .none && select == nil && mean.allSatisfy { $0 == 0 }
            && limit.allSatisfy { $0 == .infinity }
    }
}
