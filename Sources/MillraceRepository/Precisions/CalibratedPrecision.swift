public import MillraceCompute

/// What was measured when a version was calibrated for a precision.
///
/// Errors are absolute differences between outputs, after the head: probabilities where those are
/// what the model predicts.
public struct CalibratedPrecision: Codable, Sendable, Equatable {
    /// The precision.
    public let precision: Precision
    /// How many rows were compared, golden rows apart.
    public let rows: Int
    /// The largest difference to float32.
    public let maximumError: Double
    /// The mean difference to float32, over all outputs of all rows.
    public let meanError: Double
    /// The largest difference of the golden rows' predictions to those by definition.
    public let goldenError: Double
    /// What neither of the largest differences exceeds; golden rows are held to it at every load.
    public let bound: Double
    /// The file or topic that the rows came from.
    public let source: String
    /// When it was measured: ISO 8601, UTC.
    public let created: String

    /// Whether the numbers are such as a calibration writes.
    var isSound: Bool {
        let errors = [maximumError, meanError, goldenError, bound]
        return precision != .float32 && rows > 0 && errors.allSatisfy { $0.isFinite && $0 >= 0 }
            && meanError <= maximumError && max(maximumError, goldenError) <= bound
    }
}

/// `precisions.json` beside a version's weights: what the version was calibrated for since it was
/// published.
struct PrecisionsFile: Codable, Equatable {
    static let currentFormatVersion = 1

    /// The format of the file.
    let formatVersion: Int
    /// The weights that were measured, so that the file is not taken for that of others.
    let weights: Manifest.WeightsFile
    /// One for each precision.
    let precisions: [CalibratedPrecision]
}
