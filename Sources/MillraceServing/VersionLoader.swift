internal import Logging
internal import MillraceCompute
internal import MillraceModels
internal import MillraceRepository
internal import MillraceSystem
internal import Synchronization

/// Loads the versions that a reference means, one after the other, and frees those before.
///
/// **Thread-safety**: one thread looks (`refresh`, `run`); any thread takes, refuses and closes.
final class VersionLoader: Sendable {
    /// How long a version may be there before it is seen where the kernel does not tell.
    private static let longestWaitMilliseconds = 1000
    /// The same where the kernel cannot be asked to tell.
    private static let pollMilliseconds = 20
    /// How often it is tried to free a version that scorers still had.
    private static let freeingMilliseconds = 50

    private let repository: ModelRepository
    private let reference: ModelReference
    private let kernels: KernelSet
    private let precision: Precision
    private let reduced: ReducedKernels?
    private let logger: Logger
    /// The version in use, which scorers look at; 0 for none.
    private let newest = Atomic<Int>(0)
    private let isClosed = Atomic<Bool>(false)
    private let state = Lock(State())
    private let directories: DirectoryWatch?

    private struct State {
        var current: ServingVersion?
        /// Versions before, which scorers may still use.
        var retired: [ServingVersion] = []
        var refused: [ModelFeed.Refusal] = []
        /// The feature specification of the rows that are scored; 0 while none is known.
        var specification: UInt32 = 0
        /// The last failure to look for versions at all.
        var failure: String?
    }

    init(
        repository: ModelRepository, reference: ModelReference, kernels: KernelSet,
        precision: Precision, reduced: ReducedKernels?, logger: Logger
    ) {
        self.repository = repository
        self.reference = reference
        self.kernels = kernels
        self.precision = precision
        self.reduced = reduced
        self.logger = logger
        do throws(SystemError) { directories = try DirectoryWatch() } catch {
            logger.notice(
                "new versions are looked for every 20 ms: \(error)",
                metadata: ["model": "\(reference.name)", "error": "\(error)"])
            directories = nil
        }
    }

    // MARK: For threads that score

    /// The version to use, when it is another one than `used`: one load when it is not.
    @inline(__always)
    func newer(than used: Int) -> ServingVersion? {
        guard newest.load(ordering: .acquiring) != used else { return nil }
        return state.withLock { $0.current }
    }

    /// Says once that a version is not used, and counts it.
    func refuse(_ version: Int, _ reason: String) {
        let isNew = state.withLock { state in
            guard !state.refused.contains(where: { $0.version == version }) else { return false }
            state.refused.append(ModelFeed.Refusal(version: version, reason: reason))
            return true
        }
        guard isNew else { return }
        logger.error(
            "model \(reference.name)@\(version) is refused, the one before goes on: \(reason)",
            metadata: [
                "model": "\(reference.name)", "version": "\(version)", "reason": "\(reason)",
            ])
    }

    /// Refuses from now on what was trained on other features than these.
    func require(specification: UInt32) {
        state.withLock { $0.specification = specification }
    }

    var refusals: [ModelFeed.Refusal] { state.withLock { $0.refused } }

    /// Why there is no version to use.
    func lastFailure() -> RepositoryError {
        if let refusal = refusals.first {
            return RepositoryError(
                .invalidModel, path: repository.path,
                "no version of '\(reference)' can be used; \(reference.name)@\(refusal.version): "
                    + refusal.reason)
        }
        return RepositoryError(
            .notFound, path: repository.path, "there is no version of '\(reference)' yet")
    }

    // MARK: For the thread that loads

    /// Looks for versions until the feed is closed.
    func run() {
        while !isClosed.load(ordering: .acquiring) {
            // Watched before it is looked at: what changes in between ends the wait.
            let isTold = watchDirectories()
            do throws(RepositoryError) {
                _ = try refresh()
                state.withLock { $0.failure = nil }
            } catch { tell(of: error) }
            let isFreeing = !free()
            let limit = isTold ? Self.longestWaitMilliseconds : Self.pollMilliseconds
            wait(milliseconds: isFreeing ? min(limit, Self.freeingMilliseconds) : limit)
        }
    }

    func close() {
        isClosed.store(true, ordering: .releasing)
        directories?.wake()
    }

    /// Looks for a version now.
    ///
    /// The one that is meant is taken, or the next best that can be used.
    /// - Returns: False when there is none yet.
    func refresh() throws(RepositoryError) -> Bool {
        let current = newest.load(ordering: .relaxed)
        let name = reference.name
        if let pinned = reference.version {
            if current == 0 { use(try load(name, pinned)) }
            return true
        }
        for version in try repository.candidates(for: reference) {
            // What is in use is as good as anything after it.
            if version == current { return true }
            guard !refusals.contains(where: { $0.version == version }) else { continue }
            do throws(RepositoryError) {
                let loaded = try load(name, version)
                if let difference = difference(of: loaded) {
                    refuse(version, difference)
                } else {
                    use(loaded)
                    return true
                }
            } catch {
                // Pruned since it was listed: there is nothing to refuse.
                if error.code == .notFound, error.cause == nil { continue }
                refuse(version, "\(error)")
            }
        }
        return current > 0
    }

    private func load(_ name: String, _ version: Int) throws(RepositoryError) -> LoadedModel {
        try repository.load(
            name, version: version, kernels: kernels, precision: precision, reduced: reduced)
    }

    /// How a version differs from the one in use so that it cannot take its place.
    private func difference(of loaded: LoadedModel) -> String? {
        let (known, model) = state.withLock { ($0.specification, $0.current?.model) }
        let specification = loaded.manifest.publication.specificationID
        // What was imported knows of none.
        guard known == 0 || specification == 0 || known == specification else {
            return
                "it was trained on feature specification \(specification), the rows have \(known)"
        }
        guard let used = model else { return nil }
        let (inputs, outputs) = (loaded.prepared.inputWidth, loaded.prepared.outputWidth)
        guard inputs == used.inputWidth else {
            return "it takes \(inputs) features, the one in use \(used.inputWidth)"
        }
        guard outputs == used.outputWidth else {
            return "it has \(outputs) outputs, the one in use \(used.outputWidth)"
        }
        return nil
    }

    private func use(_ loaded: LoadedModel) {
        let ready = ServingVersion(loaded)
        if newest.load(ordering: .relaxed) == 0, let fallback = ready.fallback {
            logger.warning(
                "'\(reference)' is scored in float32, not \(precision.rawValue): \(fallback)",
                metadata: [
                    "model": "\(reference.name)", "version": "\(ready.version)",
                    "precision": "\(precision.rawValue)", "reason": "\(fallback)",
                ])
        }
        state.withLock { state in
            if let before = state.current { state.retired.append(before) }
            state.current = ready
            if ready.specification != 0 { state.specification = ready.specification }
        }
        newest.store(loaded.version, ordering: .releasing)
        logger.info(
            "model \(reference.name)@\(loaded.version) is in use",
            metadata: ["model": "\(reference.name)", "version": "\(loaded.version)"])
    }

    /// Frees the versions that no scorer has any more, here, so that none has to.
    ///
    /// - Returns: Whether there is none left.
    private func free() -> Bool {
        var freed: [ServingVersion] = []
        return state.withLock { state in
            var index = 0
            while index < state.retired.count {
                if isKnownUniquelyReferenced(&state.retired[index]) {
                    freed.append(state.retired.remove(at: index))
                } else {
                    index += 1
                }
            }
            return state.retired.isEmpty
        }
    }

    private func watchDirectories() -> Bool {
        guard let directories else { return false }
        do throws(SystemError) {
            let isThere = try directories.add("\(repository.path)/\(reference.name)")
            // Where the model's own directory appears.
            return isThere ? true : try directories.add(repository.path)
        } catch {
            tell(of: RepositoryError(error))
            return false
        }
    }

    private func wait(milliseconds: Int) {
        guard let directories else {
            return PinnedThread.sleep(nanoseconds: Int64(milliseconds) * 1_000_000)
        }
        directories.wait(milliseconds: milliseconds)
    }

    /// Logs a failure to look for versions, once for as long as it stays the same.
    private func tell(of error: RepositoryError) {
        let text = "\(error)"
        let isNew = state.withLock { state in
            defer { state.failure = text }
            return state.failure != text
        }
        if isNew {
            logger.error(
                "cannot look for versions of \(reference): \(text)",
                metadata: ["model": "\(reference.name)", "error": "\(text)"])
        }
    }
}
