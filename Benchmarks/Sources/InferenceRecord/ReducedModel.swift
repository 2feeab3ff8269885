internal import BenchmarkSupport
internal import LogFigures
internal import MillraceCompute
internal import MillraceModels
internal import MillraceRepository

/// A network in a precision that the processor has, calibrated on rows of its features.
struct ReducedModel {
    static let head = """
        | Network | Precision | Kernels | Rows | Largest difference to float32 | Mean difference |
        | --- | --- | --- | --- | --- | --- |
        """

    let network: Network
    let prepared: PreparedModel
    let measured: CalibratedPrecision

    /// Its precision.
    var name: String { measured.precision.rawValue }

    /// What a table says of its accuracy.
    var line: String {
        "| \(network.name) | \(name) | \(prepared.kernelName) | \(measured.rows) "
            + "| \(Float(measured.maximumError)) | \(Float(measured.meanError)) |"
    }

    /// The network in every reduced precision that there is here.
    static func all(_ network: Network) throws -> [ReducedModel] {
        let directory = try WorkDirectory()
        let repository = ModelRepository(path: directory.path)
        let version = try repository.publish(
            network.model(), as: "network", Publication(key: ""))
        let rows = 4096
        let features = network.features(rows)
        return try Precision.allCases.filter { $0 != .float32 && $0.isAvailable }.map { precision in
            var calibration = try Calibration(
                repository, "network", version: version, precision: precision)
            calibration.add(
                FeatureMatrix(features.span, rows: rows, stride: network.widths[0]))
            let measured = try calibration.record(source: "the network's features")
            let loaded = try repository.load("network", version: version, precision: precision)
            return ReducedModel(network: network, prepared: loaded.prepared, measured: measured)
        }
    }
}
