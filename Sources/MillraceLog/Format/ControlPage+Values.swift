internal import MillraceSystem

/// What a partition lets writers do.
enum PartitionState: UInt64 {
    case open = 0
    /// A sync failed: what was appended since the last good one may not be on the disk.
    case poisoned = 1
    /// The topic has been deleted.
    case deleted = 2
}

/// The checked words as values.
extension ControlPage {
    /// The `clean` word while the partition is being written: no published word has epoch 0.
    @inline(__always)
    static var written: UInt64 { CheckedWord.seal(0) }

    /// The `state` word of a partition that takes rows.
    @inline(__always)
    static var open: UInt64 { CheckedWord.seal(0) }

    /// What is published.
    ///
    /// - Throws: `corrupt` when the word's check does not match, as every function here.
    @inline(__always)
    func publishedValue() throws(LogError) -> PublishedWord {
        try published(published.loadAcquiring())
    }

    /// What `word`, read from `published`, says.
    @inline(__always)
    func published(_ word: UInt64) throws(LogError) -> PublishedWord {
        if let value = PublishedWord(word) { return value }
        throw damaged(Self.publishedByte, word)
    }

    /// The offset after the last published row.
    func endOffsetValue() throws(LogError) -> UInt64 {
        try value(endOffset.loadAcquiring(), Self.endOffsetByte)
    }

    /// The offset below which offsets may have been used.
    func ceilingValue() throws(LogError) -> UInt64 {
        try value(offsetCeiling.loadAcquiring(), Self.ceilingByte)
    }

    /// Digest of the boot in which the partition was written last; 0 before the first writer.
    func bootValue() throws(LogError) -> UInt64 { try value(boot.loadAcquiring(), Self.bootByte) }

    /// What was published at the last clean stop.
    func cleanValue() throws(LogError) -> PublishedWord {
        let word = clean.loadAcquiring()
        if let value = PublishedWord(word) { return value }
        throw damaged(Self.cleanByte, word)
    }

    /// Log position up to which everything is on the disk.
    func durablePosition() throws(LogError) -> UInt64 {
        try durablePosition(durable.loadAcquiring())
    }

    /// What `word`, read from `durable`, says.
    func durablePosition(_ word: UInt64) throws(LogError) -> UInt64 {
        try value(word, Self.durableByte) << 6
    }

    /// Log position of the first segment that is kept.
    func startPosition() throws(LogError) -> UInt64 { try startValue().position }

    /// The start of the log; in the place of the epoch how many readers that hold rows have come.
    func startValue() throws(LogError) -> PublishedWord {
        let word = start.loadAcquiring()
        if let value = PublishedWord(word) { return value }
        throw damaged(Self.startByte, word)
    }

    /// Counts a reader that holds rows from now on: who looked for such readers before cannot move
    /// the start any more.
    ///
    /// The count begins anew after 65,535.
    func countHold() throws(LogError) {
        while true {
            let seen = try startValue()
            let next = PublishedWord(
                epoch: (seen.epoch + 1) & PublishedWord.maxEpoch, position: seen.position)
            if start.compareExchange(expected: seen.word, desired: next.word) { return }
        }
    }

    /// Moves the start of the log; false when it is not `seen` any more.
    func moveStart(from seen: PublishedWord, to position: UInt64) -> Bool {
        let next = PublishedWord(epoch: seen.epoch, position: position)
        return start.compareExchange(expected: seen.word, desired: next.word)
    }

    /// Offset below which retention has removed all rows.
    func startOffsetValue() throws(LogError) -> UInt64 {
        try value(startOffset.loadAcquiring(), Self.startOffsetByte)
    }

    /// Up to where the newest segment of an epoch has space on the disk.
    func allocatedValue() throws(LogError) -> PublishedWord {
        try allocated(allocated.loadAcquiring())
    }

    /// What `word`, read from `allocated`, says.
    func allocated(_ word: UInt64) throws(LogError) -> PublishedWord {
        if let value = PublishedWord(word) { return value }
        throw damaged(Self.allocatedByte, word)
    }

    /// Whether writers may append and flush.
    func stateValue() throws(LogError) -> PartitionState {
        let number = try value(state.loadAcquiring(), Self.stateByte)
        guard let state = PartitionState(rawValue: number) else {
            throw LogError.corrupt(
                path, at: Self.stateByte, expected: "a state of 0 to 2", found: "\(number)")
        }
        return state
    }

    private func value(_ word: UInt64, _ byte: Int) throws(LogError) -> UInt64 {
        if let value = CheckedWord.open(word) { return value }
        throw damaged(byte, word)
    }

    private func damaged(_ byte: Int, _ word: UInt64) -> LogError {
        LogError.corrupt(
            path, at: byte, expected: "a word that matches its check", found: hex(word))
    }

    /// Throws unless the words fit each other.
    ///
    /// Each only grows, the ceiling before the end. For a moment without a writer at work.
    func checkOffsets() throws(LogError) {
        let end = try endOffsetValue()
        let ceiling = try ceilingValue()
        guard ceiling <= LogLimits.maxOffset else {
            throw LogError.corrupt(
                path, at: Self.ceilingByte, expected: "an offset ceiling of at most 2^55",
                found: "\(ceiling)")
        }
        guard end <= ceiling else {
            throw LogError.corrupt(
                path, at: Self.endOffsetByte,
                expected: "an end offset of at most the ceiling \(ceiling)", found: "\(end)")
        }
    }

    /// Raises a checked word to `value`; leaves it when it is there or above already.
    ///
    /// Raised, not stored: a writer that was stopped half-way must not undo, when it wakes, what
    /// its successor did.
    static func raise(_ word: borrowing AtomicWord, to value: UInt64) {
        var seen = word.loadAcquiring()
        while (CheckedWord.open(seen) ?? 0) < value,
            !word.compareExchange(expected: seen, desired: CheckedWord.seal(value))
        {
            seen = word.loadAcquiring()
        }
    }

    /// Wakes readers that sleep until something is published.
    @inline(__always)
    func wakeReaders() {
        // The exchange that published is sequentially consistent, as is a reader's registration:
        // either we see the waiter here or it sees the publication before it sleeps. The mark is
        // taken away, so that a reader that died asleep costs one call and not one a batch.
        guard waiters.loadAcquiring() != 0 else { return }
        waiters.storeReleasing(0)
        futex.advanceAndWake()
    }

    /// Says that a reader is about to sleep; returns what the futex was before.
    ///
    /// The reader then looks once more whether something is published, the other way round than a
    /// writer, so that one of them sees the other.
    func announceSleeper() -> UInt32 {
        let seen = futex.load()
        _ = waiters.exchange(1)
        return seen
    }

    /// Sleeps until a writer publishes, if none has since the futex was `seen`.
    func sleep(while seen: UInt32, nanoseconds: Int64) {
        futex.wait(while: seen, nanoseconds: nanoseconds)
    }

    /// Wakes writers that sleep until a flush has ended.
    func wakeFlushWaiters() {
        guard flushWaiters.loadAcquiring() != 0 else { return }
        flushWaiters.storeReleasing(0)
        flushFutex.advanceAndWake()
    }
}
