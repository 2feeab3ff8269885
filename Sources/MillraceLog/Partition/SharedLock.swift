internal import MillraceSystem

/// A lock in a word of the control page, which no dead or stopped owner can keep.
///
/// The word holds the number of times that the lock was taken, above 24 bits of owner (slot + 1; 0
/// when free). To take and to give back is one compare-exchange each; no system call.
///
/// Who finds it taken waits while the owner makes progress, which the count shows. An owner that is
/// dead (its slot's byte in the `writers` file is free) is succeeded at once; one that lives but
/// has not moved for half a second is succeeded then, or after ten seconds when it has said that it
/// waits for the disk. It may be about to act as if it still held the lock: whatever it does must
/// be made harmless by other means (`PartitionWriter` says how).
enum SharedLock {
    /// How the lock was got.
    struct Holding {
        /// The word as taken, to give it back.
        fileprivate(set) var token: UInt64
        /// Whether another owner was pushed aside that may still believe that it holds the lock, or
        /// that died while it held it.
        let isSuccession: Bool

        /// Makes giving back do nothing: the lock stays ours until we die.
        mutating func keep() { token = 0 }
    }

    /// How long an owner that lives may stand still before it is succeeded.
    static let patienceNanoseconds: Int64 = 500_000_000
    /// The same for an owner that waits for the disk.
    static let slowPatienceNanoseconds: Int64 = 10_000_000_000

    private static let ownerMask: UInt64 = (1 << 24) - 1
    private static let slowBit: UInt64 = 1 << 23

    @inline(__always)
    private static func owned(_ word: UInt64, by slot: Int) -> UInt64 {
        (word & ~ownerMask) &+ (ownerMask + 1) | UInt64(slot + 1)
    }

    /// The slot that holds the lock; nil when it is free.
    static func owner(_ word: borrowing AtomicWord) -> Int? {
        let number = Int(word.loadAcquiring() & ownerMask & ~slowBit)
        return number > 0 ? number - 1 : nil
    }

    /// Takes the lock if it is free.
    @inline(__always)
    static func tryTake(_ word: borrowing AtomicWord, slot: Int) -> Holding? {
        let seen = word.loadAcquiring()
        guard seen & ownerMask == 0 else { return nil }
        let token = owned(seen, by: slot)
        guard word.compareExchange(expected: seen, desired: token) else { return nil }
        return Holding(token: token, isSuccession: false)
    }

    /// Takes the lock, waiting for its owner or succeeding it.
    static func take(
        _ word: borrowing AtomicWord, slot: borrowing OwnerSlot
    ) throws(LogError) -> Holding {
        if let holding = tryTake(word, slot: slot.number) { return holding }
        var watch = Watch()
        var turn = 0
        while true {
            turn += 1
            if turn > 100 { turn < 200 ? PinnedThread.yield() : Self.rest() }
            if let holding = tryTake(word, slot: slot.number) { return holding }
            if turn % 100 == 0, let holding = try succeed(word, slot: slot, &watch) {
                return holding
            }
        }
    }

    private static func rest() { PinnedThread.sleep(nanoseconds: 50_000) }

    /// Takes the lock from an owner that is dead or has stood still for too long; nil otherwise.
    static func succeed(
        _ word: borrowing AtomicWord, slot: borrowing OwnerSlot, _ watch: inout Watch
    ) throws(LogError) -> Holding? {
        let seen = word.loadAcquiring()
        guard seen & ownerMask != 0 else { return nil }
        let owner = Int(seen & ownerMask & ~slowBit) - 1
        // Our own number in somebody else's hand: the one who had it before us is dead. No number
        // at all: the word is damaged, and nobody has it.
        let isDead = owner < 0 || owner == slot.number ? true : try !slot.isAlive(owner)
        let patience = seen & slowBit == 0 ? patienceNanoseconds : slowPatienceNanoseconds
        guard isDead || watch.standsStill(seen, for: patience) else { return nil }
        let token = owned(seen, by: slot.number)
        guard word.compareExchange(expected: seen, desired: token) else { return nil }
        return Holding(token: token, isSuccession: true)
    }

    /// Says that the owner is about to wait for the disk, so that others have more patience.
    static func markSlow(_ word: borrowing AtomicWord, _ holding: inout Holding) {
        let slow = holding.token | slowBit
        if word.compareExchange(expected: holding.token, desired: slow) { holding.token = slow }
    }

    /// Whether nobody has pushed us aside.
    ///
    /// True says: whoever does so, does it after everything that we have read before.
    @inline(__always)
    static func isHeld(_ word: borrowing AtomicWord, _ holding: Holding) -> Bool {
        word.loadAcquiring() == holding.token
    }

    /// Says that the owner does not wait for the disk any more.
    static func markFast(_ word: borrowing AtomicWord, _ holding: inout Holding) {
        let fast = holding.token & ~slowBit
        if word.compareExchange(expected: holding.token, desired: fast) { holding.token = fast }
    }

    /// Gives the lock back, unless a successor has it.
    @inline(__always)
    static func release(_ word: borrowing AtomicWord, _ holding: Holding) {
        _ = word.compareExchange(
            expected: holding.token, desired: holding.token & ~ownerMask)
    }

    /// How long the same owner has been seen holding the lock for the same time.
    struct Watch {
        private var word: UInt64 = 0
        private var since: Int64 = 0

        fileprivate mutating func standsStill(_ seen: UInt64, for patience: Int64) -> Bool {
            let now = Clock.monotonicNanoseconds()
            if seen != word || since == 0 {
                word = seen
                since = now
            }
            return now - since > patience
        }
    }
}
