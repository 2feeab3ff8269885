internal import FoundationEssentials
public import MillraceCompute
internal import MillraceModels

/// Measures what another precision does to a version's predictions, on given rows, and records it.
///
/// Rows are scored in float32 and, by models in software of the instructions that would do it, in the
/// other precision, which gives the same bits on every machine and takes far longer than scoring. Of
/// bfloat16, which processors define in two ways, the worse counts. For int8 the rows also say
/// between what each number lies that a layer takes: they are kept until all are there. The
/// version is not pruned meanwhile.
///
/// **Thread-safety**: one owner. **Memory**: the outputs of the rows of one call; for int8 all rows.
public struct Calibration: ~Copyable {
    /// The version, in float32.
    public let loaded: LoadedModel
    /// The precision that is measured.
    public let precision: Precision
    /// Rows compared so far: those with outputs that are not finite in float32 are none.
    ///
    /// For int8 they are compared when all are there.
    public private(set) var rows = 0
    private let repository: ModelRepository
    private var rounded: [PreparedModel] = []
    private var largest: [Double]
    private var sums: [Double]
    private var finder: RangeFinder?
    private var kept: [StoredRows] = []

    /// Loads the version.
    ///
    /// - Throws: `RepositoryError` with `notCalibrated` for float32, which the others are compared
    ///   with; else as `ModelRepository.load`.
    public init(
        _ repository: ModelRepository, _ name: String, version: Int, precision: Precision
    ) throws(RepositoryError) {
        guard precision != .float32 else {
            throw RepositoryError(
                .notCalibrated, path: repository.path,
                "float32 is what other precisions are compared with; it needs no calibration")
        }
        let loaded = try repository.load(name, version: version)
        self.repository = repository
        self.precision = precision
        self.loaded = loaded
        let models = ReducedKernels.models(precision)
        largest = models.map { _ in 0 }
        sums = largest
        if precision == .int8 {
            finder = RangeFinder(loaded.model)
        } else {
            rounded = models.map { PreparedModel(loaded.model, reduced: $0) }
        }
    }

    /// Compares the predictions of some rows.
    ///
    /// - Complexity: O(rows · weights); for int8 O(rows · layers · weights).
    public mutating func add(_ features: borrowing FeatureMatrix) {
        guard finder != nil else { return compare(features) }
        finder?.add(features)
        kept.append(StoredRows(copying: features))
    }

    private mutating func compare(_ features: borrowing FeatureMatrix) {
        let width = loaded.prepared.outputWidth
        let exact = Self.predict(features, loaded.prepared)
        let others = rounded.map { Self.predict(features, $0) }
        for row in 0..<features.rows {
            let outputs = row * width..<(row + 1) * width
            guard exact[outputs].allSatisfy(\.isFinite) else { continue }
            rows += 1
            for (index, other) in others.enumerated() {
                for i in outputs {
                    let error = abs(Double(exact[i]) - Double(other[i]))
                    sums[index] += error
                    // NaN too is as wrong as can be.
                    largest[index] =
                        error <= largest[index]
                        ? largest[index] : error.isNaN ? .infinity : error
                }
            }
        }
    }

    private static func predict(
        _ features: borrowing FeatureMatrix, _ model: PreparedModel
    ) -> [Float] {
        var workspace = ScoringWorkspace(for: model)
        var outputs = [Float](repeating: 0, count: features.rows * model.outputWidth)
        var target = outputs.mutableSpan
        model.predict(features, into: &target, workspace: &workspace)
        return outputs
    }

    /// Records what was measured, durably, in the place of an earlier calibration for the precision.
    ///
    /// - Parameters:
    ///   - bound: What the largest error may be, on the rows and, but for int8, on the golden rows;
    ///     nil for twice what it is.
    ///   - source: The file or topic that the rows came from, for who reads it later.
    /// - Throws: `RepositoryError` with `boundExceeded`, `notCalibrated` when there was no row, or for
    ///   int8 a layer with more inputs than fit, `busy` or `storage`; nothing is changed then.
    public consuming func record(
        bound: Double? = nil, source: String
    ) throws(RepositoryError) -> CalibratedPrecision {
        let manifest = loaded.manifest
        let what = "\(manifest.name)@\(manifest.version) in \(precision.rawValue)"
        let ranges = finder?.ranges() ?? []
        if precision == .int8 { try compareKept(ranges, what) }
        guard rows > 0 else {
            throw RepositoryError(
                .notCalibrated, path: repository.path,
                "\(what): there is no row to compare, or none with finite outputs")
        }
        let golden = rounded.map { manifest.golden.error(of: $0) }.max() ?? 0
        let error = largest.max() ?? 0
        let most = precision == .int8 ? error : max(error, golden)
        let allowed = bound ?? max(2 * most, manifest.golden.tolerance)
        guard most <= allowed, allowed.isFinite, golden.isFinite else {
            throw RepositoryError(
                .boundExceeded, path: repository.path,
                "\(what): the largest error is \(error) on \(rows) rows and \(golden) on the "
                    + "golden rows, where \(allowed) is allowed; nothing was recorded")
        }
        let calibrated = CalibratedPrecision(
            precision: precision, rows: rows, maximumError: error,
            meanError: (sums.max() ?? 0) / Double(rows * loaded.prepared.outputWidth),
            goldenError: golden, bound: allowed, source: source,
            created: Date.now.ISO8601Format())
        try repository.record(calibrated, ranges, manifest)
        return calibrated
    }

    /// Compares the rows that were kept, in bytes that are spread over the ranges of all of them.
    private mutating func compareKept(
        _ ranges: [LayerRange], _ what: String
    ) throws(RepositoryError) {
        guard loaded.model.takes(ranges) else {
            throw RepositoryError(
                .notCalibrated, path: repository.path,
                "\(what): numbers range further, or a layer has more inputs, than bytes allow")
        }
        rounded = ReducedKernels.models(precision).map {
            PreparedModel(loaded.model, reduced: $0, ranges: ranges)
        }
        for some in kept { compare(some.matrix) }
    }
}
