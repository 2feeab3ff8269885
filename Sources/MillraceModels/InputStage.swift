internal import MillraceCompute

/// What a missing feature (NaN) leads to.
public enum MissingPolicy: String, Codable, Sendable, CaseIterable {
    /// Another value stands in its place, and is counted.
    case impute
    /// The row gets no outputs (they are NaN) and is counted; likewise with an infinite feature.
    case reject
    /// It goes through the arithmetic: outputs that it reaches are NaN, and the row is counted.
    case propagate

    var rule: MissingRule {
        switch self {
        case .impute: .impute
        case .reject: .reject
        case .propagate: .propagate
        }
    }
}

/// What a row's features are divided by once they are scaled, unless it is zero.
public enum RowNormalisation: String, Codable, Sendable, CaseIterable {
    /// Nothing.
    case none
    /// The sum of their magnitudes.
    case l1
    /// Their Euclidean length.
    case l2
    /// Their largest magnitude.
    case max

    var norm: RowNorm {
        switch self {
        case .none: .none
        case .l1: .l1
        case .l2: .l2
        case .max: .max
        }
    }
}

/// How raw features become the input of the first layer: select, impute, clip, scale, normalise.
///
/// Feature by feature: `clamp((missing ? impute : x) - mean, -limit, limit) * scale`. A missing
/// number is NaN. All arrays are as long as there are features.
public struct InputStage: Sendable, Equatable {
    /// What stands for a missing number, in the feature's own unit.
    public var impute: [Float]
    /// What is subtracted; 0 where a feature is not standardised.
    public var mean: [Float]
    /// The largest distance from the mean that counts, in the feature's own unit; infinity for none.
    public var limit: [Float]
    /// One over the standard deviation; 1 where a feature is not standardised.
    public var scale: [Float]
    /// What a missing number leads to.
    public var missing: MissingPolicy
    /// What each row is divided by in the end.
    public var normalisation: RowNormalisation
    /// Which numbers of a row are the features.
    public var selection: Selection?

    /// A choice of a row's numbers, in the order of the features; one may be chosen twice.
    public struct Selection: Sendable, Equatable {
        /// How many numbers a row has.
        public var rowWidth: Int
        /// For each feature its place in the row.
        public var columns: [Int]

        /// A choice, which `Model.init` checks.
        public init(rowWidth: Int, columns: [Int]) {
            self.rowWidth = rowWidth
            self.columns = columns
        }
    }

    /// An input stage from its numbers, which `Model.init` checks.
    public init(
        impute: [Float], mean: [Float], limit: [Float], scale: [Float],
        missing: MissingPolicy = .impute, normalisation: RowNormalisation = .none,
        selection: Selection? = nil
    ) {
        self.impute = impute
        self.mean = mean
        self.limit = limit
        self.scale = scale
        self.missing = missing
        self.normalisation = normalisation
        self.selection = selection
    }

    /// Features as they are, missing ones as 0.
    public init(identity features: Int) {
        let zeros = [Float](repeating: 0, count: features)
        self.init(
            impute: zeros, mean: zeros,
            limit: [Float](repeating: .infinity, count: features),
            scale: [Float](repeating: 1, count: features))
    }

    /// How many features there are.
    public var width: Int { impute.count }

    /// How many numbers a row has: more than there are features when some are not selected.
    public var rowWidth: Int { selection?.rowWidth ?? width }

    var conditioning: Conditioning {
        var stage = Conditioning(impute: impute, mean: mean, limit: limit, scale: scale)
        stage.missing = missing.rule
        stage.norm = normalisation.norm
        stage.select = selection?.columns
        stage.rowWidth = rowWidth
        return stage
    }

    /// The first layer's inputs as the kernels have them: with the scales in the weights.
    var foldsScales: Bool { normalisation == .none }

    func check() throws(ModelError) {
        guard width > 0, mean.count == width, scale.count == width, limit.count == width else {
            throw ModelError(
                .invalidShape,
                "the input stage has \(width) imputed values, \(mean.count) means, "
                    + "\(limit.count) limits and \(scale.count) scales; "
                    + "there must be one of each for every feature")
        }
        for i in 0..<width {
            guard impute[i].isFinite, mean[i].isFinite, scale[i].isFinite, scale[i] > 0,
                limit[i] >= 0
            else {
                throw ModelError(
                    .invalidNumber,
                    "the input stage of feature \(i) has impute \(impute[i]), mean "
                        + "\(mean[i]), limit \(limit[i]), scale \(scale[i])")
            }
        }
        guard let selection else { return }
        guard selection.columns.count == width, selection.rowWidth > 0,
            selection.rowWidth <= Int(UInt32.max)
        else {
            throw ModelError(
                .invalidShape,
                "\(selection.columns.count) numbers of a row of \(selection.rowWidth) are "
                    + "selected for \(width) features")
        }
        for (i, column) in selection.columns.enumerated()
        where column < 0 || column >= selection.rowWidth {
            throw ModelError(
                .invalidShape,
                "feature \(i) is number \(column) of a row that has \(selection.rowWidth)")
        }
    }
}
