import MillraceCompute
import MillraceModels
import MillraceSystem
import MillraceTestSupport

@testable import MillraceRepository

/// A version `m@1` in a repository, and rows to calibrate it with.
struct CalibrationBench {
    let directory: TemporaryDirectory
    let repository: ModelRepository
    let model: Model
    /// `[rows, 12]`.
    let features: [Float]

    var version: String { directory.file("m/1") }
    var file: String { version + "/precisions.json" }

    init(_ name: String, seed: UInt64, rows: Int) throws {
        directory = try TemporaryDirectory(name)
        repository = ModelRepository(path: directory.path)
        var draw = Draw(seed)
        model = try draw.model([12, 20, 3], .relu, .softmax)
        features = draw.features(rows * 12)
        _ = try repository.publish(model, as: "m", Publication(key: ""))
    }

    /// Calibrates the version with the rows, or with others.
    func calibrate(
        _ precision: Precision, _ features: [Float]? = nil, bound: Double? = nil
    ) throws -> CalibratedPrecision {
        let features = features ?? self.features
        var calibration = try Calibration(repository, "m", version: 1, precision: precision)
        // In pieces, as a topic's batches come.
        for start in stride(from: 0, to: features.count / 12, by: 77) {
            let count = min(77, features.count / 12 - start)
            calibration.add(
                FeatureMatrix(
                    features.span.extracting(start * 12..<(start + count) * 12), rows: count,
                    stride: 12))
        }
        return try calibration.record(bound: bound, source: "test")
    }

    /// The code of the error that `body` throws; nil for none.
    func code(_ body: () throws -> Void) -> RepositoryError.Code? {
        do {
            try body()
            return nil
        } catch { return (error as? RepositoryError)?.code }
    }

    /// What is recorded of calibrations.
    func text() throws -> String {
        String(decoding: try Files.read(file, maxBytes: 1 << 20), as: UTF8.self)
    }
}
