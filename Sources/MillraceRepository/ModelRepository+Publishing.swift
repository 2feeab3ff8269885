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
        let directory = try directory(of: name)
        do { try Files.createDirectory(directory) } catch { throw RepositoryError(error) }
        let lock = try lock(directory)
        let version = try publishLocked(
            model, as: name, publication, in: directory, onceByKey: onceByKey)
        _ = consume lock
        return version
    }

    private func publishLocked(
        _ model: Model, as name: String, _ publication: Publication, in directory: String,
        onceByKey: Bool
    ) throws(RepositoryError) -> Int {
        let key = publication.key
        if onceByKey, !key.isEmpty, let version = try find(publication: key, in: name) {
            return version
        }
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
