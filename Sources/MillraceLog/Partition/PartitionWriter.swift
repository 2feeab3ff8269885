internal import MillraceSystem

/// Appends batches to one partition.
///
/// One writer at a time, across all processes.
/// **Durability**: an append that returned survives the death of any process. It survives loss of
/// power once a later `flush()` has returned, or after a clean `close()`; otherwise the kernel
/// writes it back in its own time, usually within 30 s.
/// **Thread-safety**: one owner; give each thread a writer of its own partition.
public struct PartitionWriter: ~Copyable, Sendable {
    private let files: PartitionFiles
    private let configuration: TopicConfiguration
    private let lock: FileLock
    private let control: ControlPage
    private let epoch: UInt64
    private var position: UInt64
    private var offset: UInt64
    private var previousChecksum: UInt32
    private var segment: OpenSegment?
    private var encoder: BatchEncoder
    private var isFenced = false
    /// The offset ceiling that is known to be on the disk.
    private var durableCeiling: UInt64

    /// Bytes dropped at opening because the machine had gone down before they were synced.
    public let tornBytes: Int

    /// How many offsets are made unusable by a crash of the machine, at most.
    static let offsetReserve: UInt64 = 1 << 24

    init(files: PartitionFiles, configuration: TopicConfiguration) throws(LogError) {
        let lock = try Self.acquireLock(files)
        let control = try files.openControl(writable: true)
        let boot = try wrapping("cannot identify the boot") { () throws(SystemError) in
            try BootID.current()
        }
        try control.checkOffsets()
        let word = control.published.loadAcquiring()
        let sameBoot = control.bootID.loadAcquiring() == boot
        let isClean = control.clean.loadAcquiring() == word
        let tail =
            sameBoot || isClean
            ? try PartitionRecovery.tail(
                of: files, published: PublishedWord(word).position,
                endOffset: control.endOffset.loadAcquiring())
            : try PartitionRecovery.tailAfterMachineCrash(
                of: files, ceiling: control.offsetCeiling.loadAcquiring())
        if !isClean { try Self.syncNewestSegment(files) }
        let epoch = PublishedWord(word).epoch + 1
        guard epoch <= ControlPage.maxEpoch else {
            throw LogError(
                .tooLarge,
                "the partition has been opened for writing 1,048,575 times; copy it to a new topic",
                path: files.control)
        }
        guard
            control.published.compareExchange(
                expected: word,
                desired: PublishedWord(epoch: epoch, position: tail.position).word)
        else { throw Self.fenced(files) }
        control.endOffset.raise(to: tail.offset)
        control.clean.storeReleasing(0)
        control.bootID.storeReleasing(boot)
        let ceiling = tail.offset + Self.offsetReserve
        control.offsetCeiling.raise(to: ceiling)
        try control.sync()
        self.files = files
        self.configuration = configuration
        encoder = BatchEncoder(configuration: configuration)
        self.lock = lock
        self.control = control
        self.epoch = epoch
        position = tail.position
        offset = tail.offset
        previousChecksum = tail.checksum
        durableCeiling = ceiling
        tornBytes = tail.tornBytes
    }

    private static func acquireLock(_ files: PartitionFiles) throws(LogError) -> FileLock {
        let path = files.writerLock
        let lock = try wrapping("cannot lock the partition") { () throws(SystemError) in
            try FileLock.acquire(path)
        }
        if let lock { return lock }
        let holder = try wrapping("cannot read the lock") { () throws(SystemError) in
            try FileLock.holder(path)
        }
        let who = holder.map { "process \($0)" } ?? "another process"
        throw LogError(
            .busy,
            "topic '\(files.topic)', partition \(files.partition) is being written by \(who); "
                + "stop it or try again later",
            path: path)
    }

    /// Makes durable what an earlier writer left in the page cache.
    ///
    /// From here on only the segment that this writer makes can be torn, and a flush or a clean
    /// close vouches for everything before it. Older segments were synced when this one was made.
    private static func syncNewestSegment(_ files: PartitionFiles) throws(LogError) {
        guard let newest = try files.segments().entries.last else { return }
        try wrapping("cannot sync the newest segment") { () throws(SystemError) in
            try FileHandle(newest.path, .read).sync()
        }
    }

    private static func fenced(_ files: PartitionFiles) -> LogError {
        LogError(
            .fenced,
            "a newer writer has taken over topic '\(files.topic)', partition "
                + "\(files.partition); this one must stop",
            path: files.directory)
    }

    /// The offset that the next appended row gets.
    public var nextOffset: UInt64 { offset }

    /// Appends the builder's rows as one batch and resets the builder.
    ///
    /// Returns the offset of the first row. A batch without rows is allowed when it has an origin: it records progress.
    /// - Throws: `LogError` with code `fenced` when a newer writer has taken over, `system` when
    ///   the disk refuses (nothing is published then, and a later append may succeed).
    /// - Complexity: one pass over the bytes, one `pwrite`, one compare-exchange.
    @discardableResult
    public mutating func append(_ builder: inout BatchBuilder) throws(LogError) -> UInt64 {
        guard !isFenced else { throw Self.fenced(files) }
        var header = try encoder.prepare(&builder)
        let base = offset
        try reserveOffsets(header.rows)
        let target = try segmentForAppend()
        let place = SegmentHeader.byteCount + Int(position - target.basePosition)
        header.baseOffset = base
        header.epoch = UInt32(epoch)
        header.previousChecksum = previousChecksum
        header.appendedAt = Clock.wallNanoseconds()
        try encoder.withBatch(&header, of: &builder) { bytes throws(LogError) in
            do throws(SystemError) { try target.file.write(bytes, at: place) } catch {
                throw LogError(error, while: "cannot append")
            }
        }
        try publish(header)
        builder.reset()
        return base
    }

    /// Puts the batch behind the published end and moves the end, in one step.
    private mutating func publish(_ header: BatchHeader) throws(LogError) {
        let next = position + UInt64(header.batchBytes)
        guard
            control.published.compareExchange(
                expected: PublishedWord(epoch: epoch, position: position).word,
                desired: PublishedWord(epoch: epoch, position: next).word)
        else {
            isFenced = true
            throw Self.fenced(files)
        }
        position = next
        offset += UInt64(header.rows)
        previousChecksum = header.checksum
        // Raised, not stored: a writer stopped right here must not undo what its successor did.
        control.endOffset.raise(to: offset)
        control.wakeWaiters()
    }

    /// Raises the ceiling, durably, before an offset above it is used.
    private mutating func reserveOffsets(_ rows: Int) throws(LogError) {
        let needed = offset + UInt64(rows)
        guard needed > durableCeiling else { return }
        control.offsetCeiling.raise(to: needed + Self.offsetReserve)
        try control.sync()
        durableCeiling = needed + Self.offsetReserve
    }

    /// The open segment, or a new one when there is none or it is full.
    private mutating func segmentForAppend() throws(LogError) -> OpenSegment {
        if let open = segment {
            if Int(position - open.basePosition) < configuration.segmentBytes { return open }
            try open.sync()
        }
        let name = Segment.name(basePosition: position, epoch: UInt32(epoch))
        let path = files.directory + "/" + name
        let header = SegmentHeader(
            topicID: files.topicID, partition: UInt32(files.partition), epoch: UInt32(epoch),
            baseOffset: offset, basePosition: position
        ).encoded()
        let directory = files.directory
        let file = try wrapping("cannot create a segment") {
            () throws(SystemError) -> FileHandle in
            // A file of this epoch is our own, left by an append that failed before it published.
            let file = try FileHandle(path, .openOrCreate)
            try file.truncate(to: 0)
            try file.write(header, at: 0)
            try file.sync()
            try Files.syncDirectory(directory)
            return file
        }
        let opened = OpenSegment(file: file, basePosition: position)
        segment = opened
        control.segments.add(1)
        return opened
    }

    /// Waits until everything appended is on the disk.
    public mutating func flush() throws(LogError) {
        guard let segment else { return }
        try segment.sync()
        try control.sync()
    }

    /// Makes everything durable and records that the end was clean.
    public consuming func close() throws(LogError) {
        try flush()
        guard !isFenced else { return }
        control.clean.storeReleasing(PublishedWord(epoch: epoch, position: position).word)
        try control.sync()
    }
}

/// The segment that a writer appends to.
private final class OpenSegment: Sendable {
    let file: FileHandle
    let basePosition: UInt64

    init(file: consuming FileHandle, basePosition: UInt64) {
        self.file = file
        self.basePosition = basePosition
    }

    func sync() throws(LogError) {
        do throws(SystemError) { try file.syncData() } catch {
            throw LogError(error, while: "cannot sync the segment")
        }
    }
}
