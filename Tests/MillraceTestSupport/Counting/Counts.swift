internal import MillraceTestCounters

/// What the calling thread has allocated, locked and reference-counted so far.
///
/// Take it before and after the section in question and look at the difference. An uncontended
/// `Synchronization.Mutex` is one inlined compare-exchange that nothing here sees; weak references
/// are not counted either.
package struct Counts: Equatable, Sendable, CustomStringConvertible {
    /// Calls that allocate memory.
    package var allocations: UInt64
    /// Calls that free memory.
    package var frees: UInt64
    /// Mutexes and read-write locks taken or tried, and futex calls.
    package var locks: UInt64
    /// Retains of Swift objects.
    package var retains: UInt64
    /// Releases of Swift objects.
    package var releases: UInt64

    /// No count at all.
    package static let zero = Counts(allocations: 0, frees: 0, locks: 0, retains: 0, releases: 0)

    /// Whether this build counts allocations and locks: not under the address and the thread
    /// sanitizers, which replace the same functions.
    package static var seesAllocations: Bool { mt_counts_allocations() }

    /// The calling thread's counts up to now.
    package static func now() -> Counts {
        let counts = mt_counts_now()
        return Counts(
            allocations: counts.allocations, frees: counts.frees, locks: counts.locks,
            retains: counts.retains, releases: counts.releases)
    }

    /// What happened between `earlier` and this.
    package func since(_ earlier: Counts) -> Counts {
        Counts(
            allocations: allocations - earlier.allocations, frees: frees - earlier.frees,
            locks: locks - earlier.locks, retains: retains - earlier.retains,
            releases: releases - earlier.releases)
    }

    package var description: String {
        "\(allocations) allocations, \(frees) frees, \(locks) locks, \(retains) retains, "
            + "\(releases) releases"
    }
}
