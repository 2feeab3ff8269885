internal import MillraceSystem

/// Appends batches to one partition.
///
/// Any number of writers, in any processes, append to a partition at the same time; a batch is
/// whole, and the batches of one writer are in its order. One that died or was stopped at any
/// instruction blocks the others for at most half a second (ten, when it was waiting for the disk),
/// and can do no harm when it wakes: publishing is a compare-exchange on one word that holds epoch
/// and position; who succeeds it bumps the epoch and begins a segment of its own. The woken writer
/// finds out and appends its batch anew.
///
/// **Durability**: an append that returned `appended` survives the death of any process; one that
/// returned `durable`, and everything before it, survives loss of power. The topic's flush policy
/// says what an append returns when the caller does not.
/// **Thread-safety**: one owner; give each thread a writer of its own.
public struct PartitionWriter: ~Copyable, Sendable {
    let files: PartitionFiles
    let configuration: TopicConfiguration
    // What every append asks of the configuration, by itself: it is large to look at as a whole.
    let segmentBytes: UInt64
    let segmentMilliseconds: Int?
    private let acknowledgement: Acknowledgement
    let slot: OwnerSlot
    let control: ControlPage
    let flusher: PartitionFlusher
    let mode: AppendMode
    private let boot: UInt64
    var encoder: BatchEncoder
    var cursor: LogCursor
    var list: SegmentList
    var listVersion: UInt64
    /// What was published when the cursor moved last.
    var seen: PublishedWord
    /// The `durable` word read last, and its value.
    private var durable = (word: CheckedWord.seal(0), position: 0 as UInt64)
    /// The end offset's word as this writer left it.
    private var endWord: UInt64 = 0
    /// Of the batches since another writer's.
    private(set) var sources: SeenSources
    var segment: OpenSegment?
    /// The offset ceiling that is known to be on the disk.
    private var durableCeiling: UInt64 = 0
    /// Set when a segment was begun: the one before it is to be flushed, outside the lock.
    var rolledAt: UInt64?
    /// Keeps the topic's upkeep at work while this writer lives.
    private let registration: TopicUpkeep.Registration?
    /// The producer's newest sequence that this writer knows of.
    private var known: LogCursor.ProducerMark?
    /// The newest batch that the claim covered when the writer was opened.
    var inherited: ClaimMark?

    /// Bytes dropped at opening because the machine had gone down before they were synced.
    public let tornBytes: Int

    /// How many offsets are made unusable by a crash of the machine, at most.
    static let offsetReserve: UInt64 = 1 << 24

    /// The ceiling to reserve before offsets up to `offset` are used.
    static func ceiling(above offset: UInt64) -> UInt64 {
        (offset / offsetReserve + 1) * offsetReserve
    }

    init(
        files: PartitionFiles, configuration: TopicConfiguration, producer: UInt32,
        producerSince: UInt64 = 0, claim: ClaimKey? = nil, mode: AppendMode,
        sources: SourceTopics?, upkeep: TopicUpkeep?
    ) throws(LogError) {
        let torn = try PartitionEntry.recoverIfNeeded(files, sources: sources)
        let control = try files.openControl(writable: true)
        let slot = try OwnerSlot(files.writers, control)
        let boot = try PartitionEntry.bootID(files)
        try control.checkOffsets()
        let (view, cursor) = try files.withView(control) { (view) throws(LogError) in
            (
                view,
                try Self.cursor(
                    files, control, view, producer: producer, since: producerSince, claim: claim)
            )
        }
        let registration = try upkeep?.register(files, sources)
        self.files = files
        self.configuration = configuration
        segmentBytes = UInt64(configuration.segmentBytes)
        segmentMilliseconds = configuration.segmentMilliseconds
        acknowledgement = configuration.flush.acknowledgement
        self.slot = slot
        self.control = control
        self.mode = mode
        self.boot = boot
        flusher = PartitionFlusher(files: files, sources: sources)
        encoder = BatchEncoder(configuration: configuration)
        list = view.list
        listVersion = view.version
        self.cursor = cursor
        self.sources = SeenSources(from: cursor.position)
        seen = view.published
        known = cursor.lastOfProducer
        tornBytes = torn
        self.registration = registration
    }

    /// The offset that the next appended row gets, unless another writer comes first.
    public var nextOffset: UInt64 { cursor.offset }

    /// The sequence of the producer's newest batch in the partition; nil when it has none.
    public var lastSequence: UInt64? { known?.sequence }

    /// Appends the builder's rows as one batch and resets the builder.
    ///
    /// A batch without rows is allowed when it has an origin: it records progress. With a named
    /// producer, a batch whose sequence is not above the last one is a duplicate: it was appended
    /// before, and is acknowledged without being appended again.
    /// - Parameter acknowledgement: what to wait for; by default what the topic's flush policy
    /// says.
    /// - Throws: `LogError` with code `fenced` when another instance of the named producer has
    ///   appended since this writer was opened, or another has its claim now, `poisoned` after a
    ///   failed sync, `system` when the disk refuses. While the builder has its rows nothing of it
    ///   is published, and a later append may succeed. A builder that is empty was published and
    ///   not made durable, which `flush()` may try again.
    /// - Complexity: one pass over the bytes, one `pwrite` (or copy), four compare-exchanges.
    @discardableResult
    public mutating func append(
        _ builder: inout BatchBuilder, acknowledgement: Acknowledgement? = nil
    ) throws(LogError) -> AppendReceipt {
        builder.requireOwnRows()
        return try append(&builder, matrix: RawSpan(), acknowledgement: acknowledgement)
    }

    /// Appends `count` rows from where they stand as one batch, and resets the builder.
    ///
    /// `rawRows` is `[count, columns]`, row-major and little-endian, in the builder's element type.
    /// Where the topic stores such elements without a codec, they are checksummed and written from
    /// there, a tenth faster from a multiple of 32 bytes; else they are copied, and then it is as in
    /// `append(_:acknowledgement:)`. The builder has what the batch has beside them: labels
    /// (`addLabel`), timestamps, keys, the origin. It must have no rows of its own.
    /// - Throws: as `append(_:acknowledgement:)`. While the builder counts the rows nothing of them
    ///   is published: give the same ones again, or reset it.
    /// - Complexity: one pass over the bytes for the checksum, one `pwritev` (or copy), four
    ///   compare-exchanges.
    @discardableResult
    public mutating func append(
        rawRows: RawSpan, count: Int, with builder: inout BatchBuilder,
        acknowledgement: Acknowledgement? = nil
    ) throws(LogError) -> AppendReceipt {
        let isDirect = encoder.storesAsGiven(builder.elementType)
        builder.adopt(rawRows, count: count, copying: !isDirect)
        return try append(
            &builder, matrix: isDirect ? rawRows : RawSpan(), acknowledgement: acknowledgement)
    }

    private mutating func append(
        _ builder: inout BatchBuilder, matrix: RawSpan, acknowledgement: Acknowledgement?
    ) throws(LogError) -> AppendReceipt {
        try afterRoll()
        segment?.expect(at: cursor.position)
        try encoder.prepare(&builder, matrix: matrix)
        let receipt = try appendLocked(&builder, matrix: matrix)
        control.wakeReaders()
        builder.reset()
        // The rows are published, whatever comes of it; the next append tries again, and throws.
        do throws(LogError) { try afterRoll() } catch {}
        if (acknowledgement ?? self.acknowledgement) == .durable { try flush() }
        return receipt
    }

    /// Appends what was prepared under the lock, again when a successor pushed us aside in the
    /// middle.
    @inline(__always)
    private mutating func appendLocked(
        _ builder: inout BatchBuilder, matrix: RawSpan
    ) throws(LogError) -> AppendReceipt {
        var holding = try lock()
        defer { unlock(holding) }
        while true {
            try enter(&holding)
            if let receipt = try duplicate() { return receipt }
            try checkClaim()
            encoder.header.producer = cursor.producer
            if let base = try placePrepared(&builder, matrix: matrix, &holding) {
                return AppendReceipt(baseOffset: base, isDuplicate: false)
            }
            // Nothing was published: the compare-exchange failed, because we stood still for so
            // long that another took the lock.
            unlock(holding)
            holding = try lock()
        }
    }

    // Mutating, like other small functions on an append's way that change nothing: of a large value
    // that is only borrowed the compiler makes a copy.
    mutating func lock() throws(LogError) -> SharedLock.Holding {
        try SharedLock.take(control.appender, slot: slot)
    }

    mutating func unlock(_ holding: SharedLock.Holding) {
        SharedLock.release(control.appender, holding)
    }

    /// Makes the writer ready to append, after the lock was taken.
    ///
    /// Who was pushed aside before it looked would take its successor's epoch for its own: the lock
    /// must still be ours after what is published was read. Then a successor bumps the epoch that
    /// we have seen, and our publication fails.
    @inline(__always)
    mutating func enter(_ holding: inout SharedLock.Holding) throws(LogError) {
        while true {
            if holding.isSuccession { try succeed(&holding) }
            try catchUp()
            if SharedLock.isHeld(control.appender, holding) { break }
            holding = try lock()
        }
        try checkState(&holding)
    }

    /// Appends a batch in the name of another producer; nil when a successor pushed us aside.
    mutating func place(
        _ builder: inout BatchBuilder, producer: UInt32, _ holding: inout SharedLock.Holding
    ) throws(LogError) -> UInt64? {
        try encoder.prepare(&builder)
        encoder.header.producer = producer
        return try placePrepared(&builder, matrix: RawSpan(), &holding)
    }

    /// Writes and publishes the batch prepared last; nil when a successor pushed us aside.
    @inline(__always)
    private mutating func placePrepared(
        _ builder: inout BatchBuilder, matrix: RawSpan, _ holding: inout SharedLock.Holding
    ) throws(LogError) -> UInt64? {
        try reserveOffsets(encoder.header.rows, &holding)
        let bytes = encoder.header.batchBytes
        let end = cursor.position + UInt64(bytes)
        let hasRoom = hasRoom(to: end)
        // What takes its time must not look as if we stood still.
        let isHeavy = !hasRoom || bytes > Self.heavyBytes
        if isHeavy { SharedLock.markSlow(control.appender, &holding) }
        defer { if isHeavy { SharedLock.markFast(control.appender, &holding) } }
        if !hasRoom { try prepareSegment(to: end) }
        try segment?.reserve(
            to: end, segmentBytes: Int(segmentBytes), mapped: mode == .mapped, control: control)
        let base = cursor.offset
        encoder.header.baseOffset = base
        encoder.header.epoch = UInt32(seen.epoch)
        encoder.header.previousChecksum = cursor.checksum
        encoder.header.durable = try durablePosition()
        encoder.header.appendedAt = Clock.wallNanoseconds()
        try write(&builder, matrix: matrix)
        return publish() ? base : nil
    }

    /// Bytes of a batch that take a while to write.
    private static let heavyBytes = 1 << 20

    /// Log position up to which everything is on the disk, for the header of a batch.
    @inline(__always)
    private mutating func durablePosition() throws(LogError) -> UInt64 {
        let word = control.durable.loadAcquiring()
        if word != durable.word { durable = (word, try control.durablePosition(word)) }
        return durable.position
    }

    @inline(__always)
    private mutating func write(
        _ builder: inout BatchBuilder, matrix: RawSpan
    ) throws(LogError) {
        encoder.encode(&builder)
        // SAFETY: encoder and builder stay as they are until the segment has the bytes.
        let bytes = unsafe _overrideLifetime(encoder.batch(of: builder), copying: ())
        guard !matrix.isEmpty else {
            try segment?.write(bytes, at: cursor.position)
            return
        }
        let begin = encoder.header.headerBytes
        let end = begin + matrix.byteCount
        try segment?.write(
            bytes.extracting(..<begin), matrix, bytes.extracting(end...), at: cursor.position)
    }

    /// Moves the published end behind the batch, in one step; false when the epoch has changed.
    @inline(__always)
    private mutating func publish() -> Bool {
        let next = PublishedWord(
            epoch: seen.epoch, position: seen.position + UInt64(encoder.header.batchBytes))
        guard control.published.compareExchange(expected: seen.word, desired: next.word) else {
            return false
        }
        let position = cursor.position
        let before = cursor.maxTimestamp
        seen = next
        cursor.pass(encoder.header)
        sources.pass(encoder.header.origin, to: cursor.position)
        if cursor.producer != 0 { known = cursor.lastOfProducer }
        raiseEnd()
        segment?.note(
            bytes: encoder.header.batchBytes,
            IndexEntry(
                baseOffset: encoder.header.baseOffset, position: position,
                maxTimestampBefore: before))
        return true
    }

    /// Says how far the rows go: in one step where the word is as this writer left it, which needs
    /// not be checked again.
    @inline(__always)
    private mutating func raiseEnd() {
        let next = CheckedWord.seal(cursor.offset)
        if !control.endOffset.compareExchange(expected: endWord, desired: next) {
            ControlPage.raise(control.endOffset, to: cursor.offset)
        }
        endWord = next
    }

    /// Learns what others have appended since the last time.
    private mutating func catchUp() throws(LogError) {
        let word = control.published.loadAcquiring()
        let version = control.segments.loadAcquiring()
        // Another may have begun a segment and not published in it.
        if word == seen.word, version == listVersion { return }
        let published = try control.published(word)
        if published.epoch != seen.epoch { segment = nil }
        if version != listVersion {
            list = try files.segments(control)
            listVersion = version
        }
        while true {
            do throws(LogError) {
                try cursor.advance(to: published.position, in: list, of: files)
                break
            } catch {
                list = try files.segments(instead: list, control, after: error)
            }
        }
        seen = published
        if cursor.position != sources.end { sources = SeenSources(from: cursor.position) }
        ControlPage.raise(control.endOffset, to: cursor.offset)
        if let newest = list.entries.last, let open = segment?.path, newest.path != open {
            segment = nil
        }
    }

    /// Bumps the epoch, so that the owner that we pushed aside cannot publish any more.
    private func succeed(_ holding: inout SharedLock.Holding) throws(LogError) {
        SharedLock.markSlow(control.appender, &holding)
        while true {
            let published = try control.publishedValue()
            do throws(LogError) { try files.checkEpoch(published.epoch + 1) } catch {
                // Nobody may append in an epoch in which another may still believe to have the
                // lock.
                holding.keep()
                throw error
            }
            let next = PublishedWord(epoch: published.epoch + 1, position: published.position)
            if control.published.compareExchange(expected: published.word, desired: next.word) {
                break
            }
        }
        try files.sync(control)
        SharedLock.markFast(control.appender, &holding)
    }

    /// Throws unless the partition takes rows; says durably that it is being written.
    @inline(__always)
    private mutating func checkState(_ holding: inout SharedLock.Holding) throws(LogError) {
        if control.state.loadAcquiring() != ControlPage.open {
            switch try control.stateValue() {
            case .open: break
            case .poisoned: throw files.poisoned()
            case .deleted: throw files.deleted()
            }
        }
        guard control.clean.loadAcquiring() != ControlPage.written else { return }
        SharedLock.markSlow(control.appender, &holding)
        control.boot.storeReleasing(CheckedWord.seal(boot))
        control.clean.storeReleasing(ControlPage.written)
        try files.sync(control)
        SharedLock.markFast(control.appender, &holding)
    }

    /// The receipt of a batch that the named producer appended before.
    @inline(__always)
    private mutating func duplicate() throws(LogError) -> AppendReceipt? {
        guard cursor.producer != 0 else { return nil }
        let sequence = encoder.header.sequence
        guard sequence > 0 else {
            throw LogError(
                .invalidArgument, "a named producer's batch needs a sequence of at least 1")
        }
        guard cursor.lastOfProducer?.sequence == known?.sequence else {
            throw LogError(
                .fenced,
                "another instance of the producer has appended to topic '\(files.topic)', "
                    + "partition \(files.partition); this one must stop",
                path: files.directory)
        }
        known = cursor.lastOfProducer
        guard let known, sequence <= known.sequence else { return nil }
        return AppendReceipt(
            baseOffset: sequence == known.sequence ? known.baseOffset : nil,
            isDuplicate: true)
    }

    /// Raises the ceiling, durably, before an offset above it is used.
    @inline(__always)
    private mutating func reserveOffsets(
        _ rows: Int, _ holding: inout SharedLock.Holding
    ) throws(LogError) {
        let needed = cursor.offset + UInt64(rows)
        guard needed > durableCeiling else { return }
        guard needed <= LogLimits.maxOffset else {
            throw LogError(.tooLarge, "the partition's offsets are used up", path: files.directory)
        }
        SharedLock.markSlow(control.appender, &holding)
        let ceiling = try control.ceilingValue()
        let raised = max(ceiling, Self.ceiling(above: needed))
        ControlPage.raise(control.offsetCeiling, to: raised)
        try files.sync(control)
        SharedLock.markFast(control.appender, &holding)
        durableCeiling = raised
    }

    /// Waits until everything appended so far is on the disk.
    ///
    /// One sync serves all writers that wait at the same time.
    /// - Throws: `LogError` with code `poisoned` when a sync failed, now or earlier.
    public func flush() throws(LogError) {
        try flusher.flush(
            through: seen.position, control: control, slot: slot, seen: sources)
    }

    /// Makes everything durable and records that the end was clean.
    public consuming func close() throws(LogError) {
        try flush()
        var holding = try lock()
        defer { unlock(holding) }
        try enter(&holding)
        SharedLock.markSlow(control.appender, &holding)
        try leave()
    }

    private func leave() throws(LogError) {
        guard try control.publishedValue() == seen,
            try control.durablePosition() >= seen.position
        else { return }
        try segment?.seal(at: seen.position, control: control)
        // The mark must not reach the disk before the words that it vouches for.
        try files.sync(control)
        control.clean.storeReleasing(seen.word)
        try files.sync(control)
    }
}
