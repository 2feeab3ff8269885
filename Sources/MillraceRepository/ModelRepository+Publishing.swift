internal import FoundationEssentials
internal import Glibc
internal import MillraceCompute
public import MillraceModels
internal import MillraceSystem

extension ModelRepository {
    /// How long publishing waits for another one of the same model.
    private static let maxWaitMilliseconds = 30_000
    private static let counterName = ".counter"
    private static let lockName = ".lock"
    static let temporaryPrefix = ".tmp-"

    /// Publishes a model as the next version, durably, and returns the version.
    ///
    /// With a key that was used before for this model, nothing is published and that version is
    /// returned; a caller who knows that its key is new saves the search with `onceByKey: false`.
    /// **Durability**: when it returns, the version survives a loss of power.
    ///
    /// - Throws: `RepositoryError` with `invalidName`, `invalidModel`, `busy` or `storage`, or what
    ///   `manifest` throws when earlier versions are unreadable and a key is given.
    public func publish(
        _ model: Model, as name: String, _ publication: Publication, onceByKey: Bool = true
    ) throws(RepositoryError) -> Int {
        try publish(model, as: name, publication) { () throws(RepositoryError) in
            guard onceByKey, !publication.key.isEmpty else { return nil }
            return try find(publication: publication.key, in: name)
        }
    }

    /// How a version that is there stands to one that is to be published.
    package enum Standing {
        /// It is the same, or a newer one of the same origin: nothing is to be published.
        case replaces
        /// It is an older one of the same origin; what is older still need not be looked at.
        case precedes
        /// It is of another origin.
        case isUnrelated
    }

    /// Publishes a model unless a version that replaces it is there, which is returned then.
    ///
    /// - Parameter standing: How the version with a key stands to the model; asked under the lock of
    ///   the model's publishers, from the newest version on.
    /// - Throws: as `publish(_:as:_:onceByKey:)`.
    package func publish(
        _ model: Model, as name: String, _ publication: Publication,
        unless standing: (_ key: String) -> Standing
    ) throws(RepositoryError) -> Int {
        try publish(model, as: name, publication) { () throws(RepositoryError) in
            for version in try versions(of: name).reversed() {
                switch standing(try manifest(name, version: version).publication.key) {
                case .replaces: return version
                case .precedes: return nil
                case .isUnrelated: continue
                }
            }
            return nil
        }
    }

    /// Publishes a model unless there is a version for it, under the lock of its publishers.
    private func publish(
        _ model: Model, as name: String, _ publication: Publication,
        existing: () throws(RepositoryError) -> Int?
    ) throws(RepositoryError) -> Int {
        let directory = try directory(of: name)
        do { try Files.createDirectory(directory) } catch { throw RepositoryError(error) }
        let lock = try lock(directory)
        let version: Int
        if let found = try existing() {
            version = found
        } else {
            version = try publishLocked(model, as: name, publication, in: directory)
        }
        _ = consume lock
        return version
    }

    private func publishLocked(
        _ model: Model, as name: String, _ publication: Publication, in directory: String
    ) throws(RepositoryError) -> Int {
        let weights = model.tensors.encoded()
        let checksum = CRC32C.checksum(of: weights.span)
        let golden = GoldenRows(model, seed: UInt64(checksum))
        guard golden.tolerance.isFinite, golden.outputs.joined().allSatisfy(\.isFinite) else {
            throw RepositoryError(
                .invalidModel, path: directory,
                "the model's predictions overflow for rows like those it was trained on")
        }
        let version = try takeNumber(of: name, in: directory)
        var said = publication
        said.metrics = publication.metrics.filter { $0.value.isFinite }
        let manifest = Manifest(
            formatVersion: Manifest.currentFormatVersion, name: name, version: version,
            created: Date.now.ISO8601Format(), architecture: model.architecture,
            features: model.featureNames, labels: model.labels,
            weights: Manifest.WeightsFile(bytes: weights.count, crc32c: checksum),
            publication: said, kernels: KernelSet.best.rawValue,
            openBLASCore: OpenBLAS.prepare().core, golden: golden)
        try write(manifest, weights, into: directory)
        return version
    }

    /// The lock of who changes a model: publishes, prunes, moves aliases.
    ///
    /// It is held for moments only. A process that is stopped while it publishes keeps it until it
    /// goes on or dies: only publishers of the same model wait for it.
    func lock(_ directory: String) throws(RepositoryError) -> FileLock {
        let file = "\(directory)/\(Self.lockName)"
        do {
            let lock = try FileLock.acquire(file, waitingMilliseconds: Self.maxWaitMilliseconds)
            if let lock { return lock }
        } catch { throw RepositoryError(error) }
        throw RepositoryError(
            .busy, path: file,
            "\(FileLock.holderText(file)) has been publishing for "
                + "\(Self.maxWaitMilliseconds / 1000) s; let it go on, or end it, and try again")
    }

    /// Takes a number that no version ever had; it stays taken whatever happens next.
    private func takeNumber(of name: String, in directory: String) throws(RepositoryError) -> Int {
        let counter = "\(directory)/\(Self.counterName)"
        let newest = try list(directory).compactMap(Self.version).max() ?? 0
        var last = "0"
        do {
            if Files.exists(counter) {
                let text = try Files.read(counter, maxBytes: 32)
                last = String(decoding: text.prefix { $0 != 10 }, as: UTF8.self)
            }
        } catch { throw RepositoryError(error) }
        guard let last = Int(last), (0..<Int.max).contains(max(last, newest)) else {
            throw RepositoryError(
                .malformedFile, path: counter, "'\(last)' is not the number of the last version")
        }
        let number = max(last, newest) + 1
        do { try Files.writeDurably(counter, Array("\(number)\n".utf8)) } catch {
            throw RepositoryError(error)
        }
        return number
    }

    /// Writes both files where nobody looks, then gives the directory its name.
    private func write(
        _ manifest: Manifest, _ weights: [UInt8], into directory: String
    ) throws(RepositoryError) {
        let temporary = "\(directory)/\(Self.temporaryPrefix)\(manifest.version)"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let json: Data
        do { json = try encoder.encode(manifest) } catch {
            throw RepositoryError(
                .invalidModel, path: directory, "the manifest cannot be written: \(error)")
        }
        do {
            try removeLeftovers(in: directory)
            try Files.createDirectory(temporary)
            try Files.writeDurably("\(temporary)/\(Self.weightsName)", weights)
            try Files.writeDurably("\(temporary)/\(Self.manifestName)", Array(json))
            try Files.renameDurably(temporary, "\(directory)/\(manifest.version)")
        } catch { throw RepositoryError(error) }
    }
}
