internal import Logging
internal import MillraceCompute
internal import MillraceModels
internal import MillraceRepository
internal import MillraceSystem
internal import Synchronization

/// A version of a model, ready to score.
final class ScoringModel: Sendable {
    let version: Int
    let specification: UInt32
    let prepared: PreparedModel
    /// Keeps it from being pruned while a slot uses it.
    private let hold: VersionHold

    init(_ loaded: LoadedModel, kernels: KernelSet) {
        version = loaded.version
        hold = loaded.hold
        specification = loaded.manifest.publication.specificationID
        prepared = PreparedModel(loaded.model, kernels: kernels)
    }
}

/// Gives scoring slots the version of a model that a reference means.
///
/// A thread of its own looks for versions, verifies and packs them; a slot learns of one by one
/// atomic load between two batches. A version that does not load leaves the one before in place.
final class ModelFeed: Sendable {
    private static let pollNanoseconds: Int64 = 20_000_000

    private let repository: ModelRepository
    private let reference: ModelReference
    private let kernels: KernelSet
    private let logger: Logger
    private let newest = Atomic<Int>(0)
    private let model = Lock<ScoringModel?>(nil)
    private let isClosed = Atomic<Bool>(false)
    private let refused = Lock<Set<Int>>([])

    init(
        repository: ModelRepository, reference: ModelReference, kernels: KernelSet,
        logger: Logger
    ) {
        self.repository = repository
        self.reference = reference
        self.kernels = kernels
        self.logger = logger
    }

    /// The version to use, when it is not `used`; nil when it is.
    func newer(than used: Int) -> ScoringModel? {
        guard newest.load(ordering: .acquiring) != used else { return nil }
        return model.withLock { $0 }
    }

    /// Looks for a version now.
    ///
    /// The one that is meant is taken, or the next best that loads; those that do not are refused
    /// once, with a message.
    /// - Returns: False when there is none yet.
    func refresh() throws(RepositoryError) -> Bool {
        let current = newest.load(ordering: .relaxed)
        let name = reference.name
        if let pinned = reference.version {
            if current == 0 { use(try repository.load(name, version: pinned)) }
            return true
        }
        for version in try repository.candidates(for: reference) {
            // What is in use is as good as anything after it.
            if version == current { return true }
            guard !refused.withLock({ $0.contains(version) }) else { continue }
            do throws(RepositoryError) {
                use(try repository.load(name, version: version))
                return true
            } catch {
                refuse(version, "\(error)")
            }
        }
        return current > 0
    }

    private func use(_ loaded: LoadedModel) {
        let ready = ScoringModel(loaded, kernels: kernels)
        model.withLock { $0 = ready }
        newest.store(loaded.version, ordering: .releasing)
    }

    /// Says once that a version is not used.
    func refuse(_ version: Int, _ reason: String) {
        guard refused.withLock({ $0.insert(version).inserted }) else { return }
        logger.error(
            "model \(reference.name)@\(version) is refused, the one before goes on: \(reason)")
    }

    /// Starts the thread that looks for versions.
    func watch() throws(SystemError) -> PinnedThread {
        try PinnedThread(name: "models", core: nil) {
            while !self.isClosed.load(ordering: .relaxed) {
                do throws(RepositoryError) { _ = try self.refresh() } catch {
                    self.logger.error("cannot look for versions of \(self.reference): \(error)")
                }
                PinnedThread.sleep(nanoseconds: Self.pollNanoseconds)
            }
        }
    }

    func close() { isClosed.store(true, ordering: .relaxed) }
}
