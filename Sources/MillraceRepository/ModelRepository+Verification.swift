internal import MillraceCompute
internal import MillraceModels
internal import MillraceSystem

/// What is known of a version once everything in it has been checked.
public struct VersionCheck: Sendable, Equatable {
    /// The version.
    public let version: Int
    /// What is wrong, each once; empty for a version that is sound.
    public fileprivate(set) var faults: [RepositoryError] = []
    /// The largest error of the golden rows' predictions; nil where none could be made.
    public fileprivate(set) var goldenError: Double?
    /// The largest error that is allowed; nil where the manifest cannot be read.
    public fileprivate(set) var tolerance: Double?
}

extension ModelRepository {
    /// Checks a version: manifest, length and checksum of the weights, tensors, golden rows, and
    /// what it was calibrated for.
    ///
    /// Goes on after a fault as far as there is something to check; `load` stops at the first.
    ///
    /// - Throws: `RepositoryError` with `invalidName` or `storage`; `notFound` when there is no
    /// such
    ///   version. Everything else is a fault of the version.
    public func verify(_ name: String, version: Int) throws(RepositoryError) -> VersionCheck {
        let path = try directory(of: name) + "/\(version)"
        guard Files.isDirectory(path) else {
            throw RepositoryError(
                .notFound, path: path, "there is no version \(version) of '\(name)'")
        }
        var check = VersionCheck(version: version)
        let manifest: Manifest
        do { manifest = try self.manifest(name, version: version) } catch {
            check.faults.append(try fault(error))
            return check
        }
        check.tolerance = manifest.golden.tolerance
        let file = "\(path)/\(Self.weightsName)"
        do {
            let bytes = try read(file, maxBytes: Self.maxWeightsBytes)
            do { try Self.compare(bytes, with: manifest, path: file) } catch {
                check.faults.append(error)
            }
            let model = try Model(Safetensors(bytes, path: file), manifest, path: file)
            check.goldenError = manifest.golden.error(of: PreparedModel(model))
            check.faults += try precisionFaults(manifest, model)
            try Self.compareGolden(manifest, error: check.goldenError ?? 0, path: file)
        } catch {
            check.faults.append(try fault(error))
        }
        return check
    }

    /// The versions of a model that have a directory, whether or not there is a manifest in it.
    ///
    /// - Throws: `RepositoryError` with `invalidName` or `storage`.
    public func directories(of name: String) throws(RepositoryError) -> [Int] {
        try list(directory(of: name)).compactMap(Self.version).sorted()
    }

    /// Checks the aliases of a model: that their table can be read, and that the versions are
    /// there.
    ///
    /// - Throws: `RepositoryError` with `invalidName` or `storage`; everything else is in the
    /// result.
    public func verifyAliases(of name: String) throws(RepositoryError) -> [RepositoryError] {
        let directory = try directory(of: name)
        let table: AliasTable
        do { table = try aliasTable(in: directory) } catch { return [try fault(error)] }
        let latest = table.latest.map { [(ModelReference.latest, $0.version)] } ?? []
        let named = table.named.sorted { $0.key < $1.key }.map { ($0.key, $0.value[0]) }
        let versions = try versions(of: name)
        return (latest + named).filter { !versions.contains($0.1) }.map { alias, version in
            RepositoryError(
                .notFound, path: "\(directory)/\(Self.aliasesName)",
                "the alias '\(alias)' names version \(version), which is not there")
        }
    }

    /// An error as a fault of what is checked; those of the disk are not.
    private func fault(_ error: RepositoryError) throws(RepositoryError) -> RepositoryError {
        guard error.code != .storage else { throw error }
        return error
    }
}
