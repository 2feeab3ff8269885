internal import FoundationEssentials
public import MillraceCompute
internal import MillraceInput
public import MillraceModels
internal import MillraceSystem

/// A model as it was published.
public struct LoadedModel: Sendable {
    /// The weights, checked.
    public let model: Model
    /// The same packed for the kernels that were asked for: those that the golden rows were
    /// predicted with.
    public let prepared: PreparedModel
    /// The precision that was asked for; that of `prepared` where this machine has it.
    public let requested: Precision
    /// What is known about it.
    public let manifest: Manifest
    /// Keeps the version from being pruned while any copy of this value, or the hold alone, lives.
    public let hold: VersionHold

    /// Its version.
    public var version: Int { manifest.version }

    /// Why it is scored in float32 where another precision was asked for; nil where it is not.
    public var fallback: String? {
        guard prepared.precision != requested else { return nil }
        return requested.unavailability ?? "it was loaded without"
    }
}

/// Versions of models below a directory: `NAME/VERSION/model.safetensors` and `manifest.json`.
///
/// A version never changes and its number is never given twice. Any number of processes may read
/// and publish; a version is there as a whole or not at all, also after a loss of power.
public struct ModelRepository: Sendable {
    /// The directory; it need not exist before the first version is published.
    public let path: String

    static let manifestName = "manifest.json"
    static let weightsName = "model.safetensors"
    static let maxManifestBytes = 256 << 20
    static let maxWeightsBytes = 8 << 30

    /// The repository in a directory.
    public init(path: String) { self.path = path }

    /// The names of models that have a version, in order.
    ///
    /// - Throws: `RepositoryError` with `storage`.
    public func names() throws(RepositoryError) -> [String] {
        var names: [String] = []
        for name in try list(path) where Names.isValid(name) {
            if try !versions(of: name).isEmpty { names.append(name) }
        }
        return names
    }

    /// The versions of a model, ascending; none when there is no such model.
    ///
    /// - Throws: `RepositoryError` with `invalidName` or `storage`.
    public func versions(of name: String) throws(RepositoryError) -> [Int] {
        let directory = try directory(of: name)
        return try list(directory).compactMap(Self.version).filter {
            Files.exists("\(directory)/\($0)/\(Self.manifestName)")
        }.sorted()
    }

    /// The newest version of a model; nil when there is none.
    ///
    /// - Throws: `RepositoryError` with `invalidName` or `storage`.
    public func latest(of name: String) throws(RepositoryError) -> Int? {
        try versions(of: name).last
    }

    /// What is known about a version.
    ///
    /// - Throws: `RepositoryError` with `invalidName`, `notFound`, `malformedFile`,
    ///   `unsupportedVersion` or `storage`.
    public func manifest(_ name: String, version: Int) throws(RepositoryError) -> Manifest {
        let file = try directory(of: name) + "/\(version)/\(Self.manifestName)"
        let bytes = try read(file, maxBytes: Self.maxManifestBytes)
        let manifest: Manifest
        do {
            let text = try ManifestText(bytes)
            let format = try text.formatVersion()
            guard format == Manifest.currentFormatVersion else {
                throw RepositoryError(
                    .unsupportedVersion, path: file,
                    "format version \(format), where \(Manifest.currentFormatVersion) can be read")
            }
            manifest = try text.manifest()
        } catch let error as RepositoryError {
            throw error
        } catch let fault as JSONFault {
            throw RepositoryError(
                .malformedFile, path: file,
                "no manifest: byte \(fault.position): expected \(fault.expected)")
        } catch {
            throw RepositoryError(.malformedFile, path: file, "no manifest: \(error)")
        }
        guard manifest.name == name, manifest.version == version else {
            throw RepositoryError(
                .invalidModel, path: file,
                "the manifest is of \(manifest.name)@\(manifest.version): was it copied here?")
        }
        return manifest
    }

    /// The version of a model that was published with `key`; nil when there is none.
    ///
    /// - Throws: `RepositoryError` as `manifest`.
    /// - Complexity: O(versions), newest first.
    public func find(publication key: String, in name: String) throws(RepositoryError) -> Int? {
        for version in try versions(of: name).reversed()
        where try manifest(name, version: version).publication.key == key {
            return version
        }
        return nil
    }

    /// A version with its weights: checksum, shapes and numbers checked, and the golden rows
    /// predicted with `kernels` as they were when it was published.
    ///
    /// It is not pruned while the result's `hold` lives. In another precision than float32 the
    /// golden rows are held to the bound that was recorded when the version was calibrated for it;
    /// where this machine lacks the precision, the model is prepared in float32, and `fallback`
    /// of the result says why.
    ///
    /// - Throws: `RepositoryError` with `invalidName`, `notFound`, `malformedFile`,
    ///   `unsupportedVersion`, `checksumMismatch`, `invalidModel`, `wrongPredictions`,
    ///   `notCalibrated` or `storage`.
    public func load(
        _ name: String, version: Int, kernels: KernelSet = .best, precision: Precision = .float32
    ) throws(RepositoryError) -> LoadedModel {
        try load(
            name, version: version, kernels: kernels, precision: precision,
            reduced: .processor(precision))
    }

    /// `load` with what computes a reduced precision; nil for nothing.
    package func load(
        _ name: String, version: Int, kernels: KernelSet = .best, precision: Precision,
        reduced: ReducedKernels?
    ) throws(RepositoryError) -> LoadedModel {
        let directory = try directory(of: name) + "/\(version)"
        guard let hold = try hold("\(directory)/\(Self.manifestName)") else {
            throw RepositoryError(
                .notFound, path: directory, "there is no version \(version) of '\(name)'")
        }
        let manifest = try manifest(name, version: version)
        let file = "\(directory)/\(Self.weightsName)"
        let bytes = try read(file, maxBytes: Self.maxWeightsBytes)
        try Self.compare(bytes, with: manifest, path: file)
        let model = try Model(Safetensors(bytes, path: file), manifest, path: file)
        let calibrated = precision == .float32 ? nil : try calibrated(manifest, precision)
        let ranges = calibrated?.ranges ?? []
        try check(ranges, precision, model, manifest)
        let prepared = PreparedModel(
            model, kernels: kernels, reduced: calibrated == nil ? nil : reduced, ranges: ranges)
        if let measured = calibrated?.measured, prepared.precision == precision {
            try Self.compareGolden(manifest, measured, prepared, path: file)
        } else {
            try Self.compareGolden(
                manifest, error: manifest.golden.error(of: prepared), path: file)
        }
        return LoadedModel(
            model: model, prepared: prepared, requested: precision, manifest: manifest, hold: hold)
    }

    private func hold(_ manifest: String) throws(RepositoryError) -> VersionHold? {
        do { return try VersionHold.take(manifest: manifest) } catch {
            throw RepositoryError(error)
        }
    }

    static func compare(
        _ bytes: [UInt8], with manifest: Manifest, path: String
    ) throws(RepositoryError) {
        let checksum = CRC32C.checksum(of: bytes.span)
        guard bytes.count == manifest.weights.bytes, checksum == manifest.weights.crc32c else {
            throw RepositoryError(
                .checksumMismatch, path: path,
                "\(bytes.count) bytes with CRC-32C \(checksum), where the manifest says "
                    + "\(manifest.weights.bytes) with \(manifest.weights.crc32c)")
        }
    }

    static func compareGolden(
        _ manifest: Manifest, error: Double, path: String
    ) throws(RepositoryError) {
        guard error <= manifest.golden.tolerance else {
            throw RepositoryError(
                .wrongPredictions, path: path,
                "the golden rows are predicted with an error of \(error), where "
                    + "\(manifest.golden.tolerance) is allowed")
        }
    }

    /// The version of a directory's name; nil for other names, such as `007` and `.tmp-3`.
    static func version(_ text: String) -> Int? {
        guard let number = Int(text), number > 0, String(number) == text else { return nil }
        return number
    }

    func directory(of name: String) throws(RepositoryError) -> String {
        guard Names.isValid(name) else {
            throw RepositoryError(
                .invalidName, path: path,
                "'\(name)' cannot be a model's name: use 1 to 249 letters, digits, '.', '_' or '-'")
        }
        return "\(path)/\(name)"
    }

    /// The names in a directory; none when it does not exist.
    func list(_ directory: String) throws(RepositoryError) -> [String] {
        do { return try Files.list(directory) } catch {
            if error.isNotFound { return [] }
            throw RepositoryError(error)
        }
    }

    func read(_ file: String, maxBytes: Int) throws(RepositoryError) -> [UInt8] {
        do { return try Files.read(file, maxBytes: maxBytes) } catch {
            throw RepositoryError(error)
        }
    }
}
