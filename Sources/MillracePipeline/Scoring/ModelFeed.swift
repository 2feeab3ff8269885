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

    init(_ loaded: LoadedModel, kernels: KernelSet) {
        version = loaded.version
        specification = loaded.manifest.publication.specificationID
        prepared = PreparedModel(loaded.model, kernels: kernels)
    }
}

/// Gives scoring slots the newest version of a model.
///
/// A thread of its own looks for versions, verifies and packs them; a slot learns of one by one
/// atomic load between two batches. A version that does not load leaves the one before in place.
final class ModelFeed: Sendable {
    private static let pollNanoseconds: Int64 = 20_000_000

    private let repository: ModelRepository
    private let name: String
    private let pinned: Int?
    private let kernels: KernelSet
    private let logger: Logger
    private let newest = Atomic<Int>(0)
    private let model = Mutex<ScoringModel?>(nil)
    private let isClosed = Atomic<Bool>(false)
    private let refused = Mutex<Set<Int>>([])

    init(
        repository: ModelRepository, name: String, version: Int?, kernels: KernelSet,
        logger: Logger
    ) {
        self.repository = repository
        self.name = name
        self.pinned = version
        self.kernels = kernels
        self.logger = logger
    }

    /// The newest version, when it is not `used`; nil when there is nothing newer.
    func newer(than used: Int) -> ScoringModel? {
        guard newest.load(ordering: .acquiring) != used else { return nil }
        return model.withLock { $0 }
    }

    /// Looks for a version now.
    ///
    /// - Returns: False when there is none yet.
    func refresh() throws(RepositoryError) -> Bool {
        let current = newest.load(ordering: .relaxed)
        let wanted = if let pinned { pinned } else { try repository.latest(of: name) ?? 0 }
        guard wanted > 0, wanted != current, !refused.withLock({ $0.contains(wanted) })
        else { return current > 0 }
        let loaded: LoadedModel
        do throws(RepositoryError) { loaded = try repository.load(name, version: wanted) } catch {
            guard pinned == nil, current > 0 else { throw error }
            logger.error("model \(name)@\(wanted) is refused; \(current) goes on: \(error)")
            refused.withLock { _ = $0.insert(wanted) }
            return true
        }
        let ready = ScoringModel(loaded, kernels: kernels)
        model.withLock { $0 = ready }
        newest.store(wanted, ordering: .releasing)
        return true
    }

    /// Starts the thread that looks for versions.
    func watch() throws(SystemError) -> PinnedThread {
        try PinnedThread(name: "models", core: nil) {
            while !self.isClosed.load(ordering: .relaxed) {
                do throws(RepositoryError) { _ = try self.refresh() } catch {
                    self.logger.error("cannot look for versions of \(self.name): \(error)")
                }
                PinnedThread.sleep(nanoseconds: Self.pollNanoseconds)
            }
        }
    }

    func close() { isClosed.store(true, ordering: .relaxed) }
}
