internal import FoundationEssentials
public import MillraceCompute
internal import MillraceModels

/// Measures what another precision does to a version's predictions, on given rows, and records it.
///
/// Rows are scored in float32 and, by a model in software of the registers that would do it, in the
/// other precision, which gives the same bits on every machine and takes far longer than scoring. The
/// version is not pruned meanwhile.
///
/// **Thread-safety**: one owner. **Memory**: the outputs of the rows of one call.
public struct Calibration: ~Copyable {
    /// The version, in float32.
    public let loaded: LoadedModel
    /// The precision that is measured.
    public let precision: Precision
    /// Rows compared so far: those with outputs that are not finite in float32 are none.
    public private(set) var rows = 0
    private let repository: ModelRepository
    private let rounded: PreparedModel
    private var exactWorkspace: ScoringWorkspace
    private var roundedWorkspace: ScoringWorkspace
    private var largest = 0.0
    private var sum = 0.0

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
        rounded = PreparedModel(loaded.model, tiles: .software)
        exactWorkspace = ScoringWorkspace(for: loaded.prepared)
        roundedWorkspace = ScoringWorkspace(for: rounded)
    }

    /// Compares the predictions of some rows.
    ///
    /// - Complexity: O(rows · weights).
    public mutating func add(_ features: borrowing FeatureMatrix) {
        let width = rounded.outputWidth
        let exact = Self.predict(features, loaded.prepared, &exactWorkspace)
        let other = Self.predict(features, rounded, &roundedWorkspace)
        for row in 0..<features.rows {
            let outputs = row * width..<(row + 1) * width
            guard exact[outputs].allSatisfy(\.isFinite) else { continue }
            rows += 1
            for i in outputs {
                let error = abs(Double(exact[i]) - Double(other[i]))
                sum += error
                // NaN too is as wrong as can be.
                largest = error <= largest ? largest : error.isNaN ? .infinity : error
            }
        }
    }

    private static func predict(
        _ features: borrowing FeatureMatrix, _ model: PreparedModel,
        _ workspace: inout ScoringWorkspace
    ) -> [Float] {
        var outputs = [Float](repeating: 0, count: features.rows * model.outputWidth)
        var target = outputs.mutableSpan
        model.predict(features, into: &target, workspace: &workspace)
        return outputs
    }

    /// Records what was measured, durably, in the place of an earlier calibration for the precision.
    ///
    /// - Parameters:
    ///   - bound: What the largest error may be, on the rows and on the golden rows; nil for twice
    ///     what it is.
    ///   - source: The file or topic that the rows came from, for who reads it later.
    /// - Throws: `RepositoryError` with `boundExceeded`, `notCalibrated` when there was no row,
    ///   `busy` or `storage`; nothing is changed then.
    public consuming func record(
        bound: Double? = nil, source: String
    ) throws(RepositoryError) -> CalibratedPrecision {
        let manifest = loaded.manifest
        let what = "\(manifest.name)@\(manifest.version) in \(precision.rawValue)"
        guard rows > 0 else {
            throw RepositoryError(
                .notCalibrated, path: repository.path,
                "\(what): there is no row to compare, or none with finite outputs")
        }
        let golden = manifest.golden.error(of: rounded)
        let most = max(largest, golden)
        let allowed = bound ?? max(2 * most, manifest.golden.tolerance)
        guard most <= allowed, allowed.isFinite else {
            throw RepositoryError(
                .boundExceeded, path: repository.path,
                "\(what): the largest error is \(largest) on \(rows) rows and \(golden) on the "
                    + "golden rows, where \(allowed) is allowed; nothing was recorded")
        }
        let calibrated = CalibratedPrecision(
            precision: precision, rows: rows, maximumError: largest,
            meanError: sum / Double(rows * rounded.outputWidth), goldenError: golden,
            bound: allowed, source: source, created: Date.now.ISO8601Format())
        try repository.record(calibrated, manifest)
        return calibrated
    }
}
