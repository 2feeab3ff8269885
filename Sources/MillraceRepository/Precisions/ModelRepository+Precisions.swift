internal import FoundationEssentials
internal import MillraceCompute
internal import MillraceModels
internal import MillraceSystem

/// What a version was calibrated for.
///
/// A version's manifest and weights never change, and calibrating makes no other version: one would
/// be taken up by whoever follows `latest`, for weights that are not new. It adds a file to the
/// version, which is replaced as a whole, durably, and goes when the version does.
extension ModelRepository {
    static let precisionsName = "precisions.json"
    private static let maxPrecisionsBytes = 64 << 20

    /// The precisions that a version was calibrated for; none where it never was.
    ///
    /// - Throws: `RepositoryError` with `malformedFile`, `unsupportedVersion`, `checksumMismatch`
    ///   for a file of other weights, or what `manifest` throws.
    public func precisions(
        of name: String, version: Int
    ) throws(RepositoryError) -> [CalibratedPrecision] {
        try precisions(manifest(name, version: version))
    }

    func precisions(_ manifest: Manifest) throws(RepositoryError) -> [CalibratedPrecision] {
        try calibrations(manifest)?.precisions ?? []
    }

    /// The file of a version's calibrations; nil where there is none.
    private func calibrations(_ manifest: Manifest) throws(RepositoryError) -> PrecisionsFile? {
        let file = try precisionsFile(manifest)
        let bytes: [UInt8]
        do { bytes = try Files.read(file, maxBytes: Self.maxPrecisionsBytes) } catch {
            if error.isNotFound { return nil }
            throw RepositoryError(error)
        }
        struct Format: Decodable { let formatVersion: Int }
        let found: PrecisionsFile
        do {
            let format = try JSONDecoder().decode(Format.self, from: Data(bytes)).formatVersion
            guard format == PrecisionsFile.currentFormatVersion else {
                throw RepositoryError(
                    .unsupportedVersion, path: file,
                    "format version \(format), where \(PrecisionsFile.currentFormatVersion) can "
                        + "be read")
            }
            found = try JSONDecoder().decode(PrecisionsFile.self, from: Data(bytes))
        } catch let error as RepositoryError {
            throw error
        } catch {
            throw RepositoryError(
                .malformedFile, path: file, "no calibrations: \(error); calibrate again")
        }
        guard found.weights == manifest.weights else {
            throw RepositoryError(
                .checksumMismatch, path: file,
                "it was measured with other weights: calibrate again")
        }
        guard found.isSound else {
            throw RepositoryError(
                .malformedFile, path: file,
                "no calibration measures such numbers or ranges, or one precision twice; "
                    + "calibrate again")
        }
        return found
    }

    /// What a version was measured to be in a precision, and the ranges of its layers' inputs; no
    /// ranges for bfloat16.
    ///
    /// - Throws: `RepositoryError` with `notCalibrated`, or as `precisions`.
    func calibrated(
        _ manifest: Manifest, _ precision: Precision
    ) throws(RepositoryError) -> (measured: CalibratedPrecision, ranges: [LayerRange]) {
        let all = try calibrations(manifest)
        guard let found = all?.precisions.first(where: { $0.precision == precision }) else {
            throw RepositoryError.notCalibrated(
                manifest.name, manifest.version, precision, path: path)
        }
        return (found, precision == .int8 ? all?.ranges?.layers ?? [] : [])
    }

    /// Refuses ranges that are not those of a model's layers.
    func check(
        _ ranges: [LayerRange], _ precision: Precision, _ model: Model, _ manifest: Manifest
    ) throws(RepositoryError) {
        guard precision == .int8, !model.takes(ranges) else { return }
        throw RepositoryError(
            .malformedFile, path: try precisionsFile(manifest),
            "the ranges are not those of what the model's layers take; calibrate again")
    }

    /// Sets what a version was measured to be in a precision, with the ranges of its layers' inputs
    /// where it is int8.
    ///
    /// A file that cannot be read is replaced: calibrating is what its errors ask for.
    func record(
        _ calibrated: CalibratedPrecision, _ ranges: [LayerRange], _ manifest: Manifest
    ) throws(RepositoryError) {
        let lock = try lock(directory(of: manifest.name))
        let before: PrecisionsFile?
        do { before = try calibrations(manifest) } catch {
            guard error.code != .storage else { throw error }
            before = nil
        }
        var all = before?.precisions ?? []
        all.removeAll { $0.precision == calibrated.precision }
        all.append(calibrated)
        let file = try precisionsFile(manifest)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let json: Data
        do {
            json = try encoder.encode(
                PrecisionsFile(
                    formatVersion: PrecisionsFile.currentFormatVersion, weights: manifest.weights,
                    precisions: all,
                    ranges: calibrated.precision == .int8
                        ? CalibratedRanges(ranges) : before?.ranges))
        } catch {
            throw RepositoryError(
                .malformedFile, path: file, "the calibration cannot be written: \(error)")
        }
        do { try Files.writeDurably(file, Array(json)) } catch { throw RepositoryError(error) }
        _ = consume lock
    }

    /// What is wrong with a version's calibrations: that they cannot be read, or that the golden rows
    /// are not predicted within their bounds.
    func precisionFaults(
        _ manifest: Manifest, _ model: Model
    ) throws(RepositoryError) -> [RepositoryError] {
        let all: [CalibratedPrecision]
        do { all = try precisions(manifest) } catch {
            guard error.code != .storage else { throw error }
            return [error]
        }
        let file = try precisionsFile(manifest)
        return all.compactMap { measured -> RepositoryError? in
            do throws(RepositoryError) {
                let ranges = try calibrated(manifest, measured.precision).ranges
                try check(ranges, measured.precision, model, manifest)
                for kernels in ReducedKernels.models(measured.precision) {
                    let prepared = PreparedModel(model, reduced: kernels, ranges: ranges)
                    try Self.compareGolden(manifest, measured, prepared, path: file)
                }
                return nil
            } catch { return error }
        }
    }

    static func compareGolden(
        _ manifest: Manifest, _ calibrated: CalibratedPrecision, _ prepared: PreparedModel,
        path: String
    ) throws(RepositoryError) {
        let error = manifest.golden.error(of: prepared)
        guard error <= calibrated.goldenBound else {
            throw RepositoryError(
                .wrongPredictions, path: path,
                "the golden rows are predicted in \(calibrated.precision.rawValue) with an error "
                    + "of \(error), where \(calibrated.goldenBound) is allowed")
        }
    }

    private func precisionsFile(_ manifest: Manifest) throws(RepositoryError) -> String {
        try directory(of: manifest.name) + "/\(manifest.version)/\(Self.precisionsName)"
    }
}

extension RepositoryError {
    static func notCalibrated(
        _ name: String, _ version: Int, _ precision: Precision, path: String
    ) -> RepositoryError {
        RepositoryError(
            .notCalibrated, path: path,
            "\(name)@\(version) is not calibrated for \(precision.rawValue): run millrace model "
                + "quantize \(name)@\(version) --precision \(precision.rawValue) on rows that it "
                + "is to score")
    }
}
