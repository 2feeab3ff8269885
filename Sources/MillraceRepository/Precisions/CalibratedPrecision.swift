public import MillraceCompute
internal import MillraceSystem

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
    /// What the largest difference to float32 does not exceed; nor, but in int8, that of the golden
    /// rows, which may lie beyond the ranges that bytes were calibrated for.
    public let bound: Double
    /// The file or topic that the rows came from.
    public let source: String
    /// When it was measured: ISO 8601, UTC.
    public let created: String

    /// What golden rows are held to at every load.
    ///
    /// In int8, which has the same bits on every machine, it is what was measured.
    var goldenBound: Double { precision == .int8 ? goldenError : bound }

    /// Whether the numbers are such as a calibration writes.
    var isSound: Bool {
        let errors = [maximumError, meanError, goldenError, bound]
        return precision != .float32 && rows > 0 && errors.allSatisfy { $0.isFinite && $0 >= 0 }
            && meanError <= maximumError && maximumError <= bound && goldenError <= goldenBound
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
    /// What bytes are spread over; nil where the version was not calibrated for int8.
    let ranges: CalibratedRanges?

    /// Whether there is what each precision needs, once.
    var isSound: Bool {
        precisions.allSatisfy(\.isSound)
            && Set(precisions.map(\.precision)).count == precisions.count
            && precisions.contains { $0.precision == .int8 } == (ranges != nil)
            && ranges?.isSound ?? true
    }
}

/// The ranges of what each layer takes, with a checksum.
struct CalibratedRanges: Codable, Equatable {
    /// CRC-32C of the bits of every `low` and then every `high`, layer by layer, little-endian.
    let crc32c: UInt32
    /// In their order.
    let layers: [LayerRange]

    init(_ layers: [LayerRange]) {
        self.layers = layers
        crc32c = Self.checksum(layers)
    }

    private static func checksum(_ layers: [LayerRange]) -> UInt32 {
        var bytes: [UInt8] = []
        for layer in layers {
            NumberBytes.append(layer.low, to: &bytes)
            NumberBytes.append(layer.high, to: &bytes)
        }
        return CRC32C.checksum(of: bytes.span)
    }

    var isSound: Bool { layers.allSatisfy(\.isSound) && crc32c == Self.checksum(layers) }
}
