public import Logging
public import MillraceCompute
public import MillraceRepository
package import MillraceSystem

/// The version that a name of a model means, kept ready while versions are published, promoted and
/// rolled back by this process or others.
///
/// A thread of its own learns of a new version from the kernel (inotify), or by a look every second
/// where the repository is shared with other machines. It loads and verifies it (checksum, shapes,
/// golden rows), packs it and scores with it once; only then may scoring threads take it, between
/// two batches and by one atomic load. None waits for that. The version before is freed by the same
/// thread when every scorer has let it go.
///
/// A version that does not load, that has another number of inputs or outputs than the one in use, or
/// that was trained on another feature specification, is refused: logged once, counted in `refusals`, and the one in use goes on. Where an alias means a
/// broken version when the feed is opened, it takes the best one below it.
///
/// **Thread-safety**: any thread. The thread ends when the feed is closed or let go.
public final class ModelFeed: Sendable {
    let loader: VersionLoader
    private let thread = Lock<PinnedThread?>(nil)

    /// A version that was not used.
    public struct Refusal: Sendable, Equatable {
        /// The version's number.
        public let version: Int
        /// What is wrong with it.
        public let reason: String
    }

    /// Loads the version that `reference` means now and follows it from then on.
    ///
    /// - Parameters:
    ///   - kernels: What scores; a precondition is that the processor can run them.
    ///   - precision: The arithmetic of the layers. A version that was not calibrated for it is
    ///     refused. Where this machine lacks it, versions are scored in float32, which is logged
    ///     once and which `ServingVersion.fallback` says.
    ///   - core: The processor core of the thread that loads; nil for any that the calling thread
    ///     may use. Name one where scoring threads are bound to cores of their own.
    ///   - logger: Where refusals are told.
    /// - Throws: `RepositoryError` with `notFound` where there is no such version yet, else as
    ///   `ModelRepository.load` where none that is there can be used; `storage` where no thread can
    ///   be made.
    public convenience init(
        _ repository: ModelRepository, _ reference: ModelReference, kernels: KernelSet = .best,
        precision: Precision = .float32, core: Int? = nil,
        logger: Logger = Logger(label: "millrace.models")
    ) throws(RepositoryError) {
        self.init(
            idle: repository, reference, kernels: kernels, precision: precision,
            reduced: .processor(precision), logger: logger)
        guard try refresh() else { throw loader.lastFailure() }
        do throws(SystemError) { try watch(core: core) } catch { throw RepositoryError(error) }
    }

    /// A feed that has no version yet and looks for one only when it is told to.
    ///
    /// `reduced` is what computes a reduced precision; nil for nothing.
    package init(
        idle repository: ModelRepository, _ reference: ModelReference, kernels: KernelSet,
        precision: Precision, reduced: ReducedKernels?, logger: Logger
    ) {
        loader = VersionLoader(
            repository: repository, reference: reference, kernels: kernels, precision: precision,
            reduced: reduced, logger: logger)
    }

    deinit { close() }

    /// The version to use now.
    ///
    /// Takes a lock: for the edges of a program. A thread that scores has a `Scorer`.
    public var current: ServingVersion {
        guard let version = newer(than: 0) else {
            preconditionFailure("a feed that was opened has a version")
        }
        return version
    }

    /// The versions that were refused, in the order in which they were.
    public var refusals: [Refusal] { loader.refusals }

    /// Ends the thread; scorers go on with the version that they have.
    ///
    /// Returns when the thread has ended, which takes as long as loading the version that it is at.
    public func close() {
        loader.close()
        thread.withLock { $0.take() }?.join()
    }

    /// The version to use, when it is another one than `used`; nil when it is not.
    @inline(__always)
    package func newer(than used: Int) -> ServingVersion? { loader.newer(than: used) }

    /// Looks for a version now, before `watch` was called.
    ///
    /// - Returns: False when there is none yet.
    package func refresh() throws(RepositoryError) -> Bool { try loader.refresh() }

    /// Says once that a version is not used, and counts it.
    package func refuse(_ version: Int, _ reason: String) { loader.refuse(version, reason) }

    /// Refuses from now on what was trained on other features than these.
    package func require(specification: UInt32) { loader.require(specification: specification) }

    /// Starts the thread that looks for versions.
    package func watch(core: Int? = nil) throws(SystemError) {
        let started = try PinnedThread(name: "models", core: core) { [loader] in loader.run() }
        thread.withLock { $0 = started }
    }
}
