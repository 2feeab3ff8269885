internal import MillraceSystem

/// Makes what is published durable.
///
/// One flusher at a time works for a partition, and its sync covers all that was published when it
/// began: who waits meanwhile is served by the same sync (group commit). Any waiter takes the role
/// over. A sync that fails poisons the partition before anyone is woken.
///
/// A batch is never durable before the rows that it was made from: their topics are flushed first.
struct PartitionFlusher: Sendable {
    let files: PartitionFiles
    /// The topics that this one's batches come from; nil for topics without origins.
    let sources: SourceTopics?

    /// How long a waiter sleeps before it looks whether the flusher has died.
    private static let waitNanoseconds: Int64 = 2_000_000

    /// Waits until everything up to log position `target`, which is published, is on the disk.
    ///
    /// `seen` spares looking through batches for what has to be there before them.
    /// - Throws: `poisoned` when this sync or an earlier one failed.
    func flush(
        through target: UInt64, control: borrowing ControlPage, slot: borrowing OwnerSlot,
        seen: SeenSources? = nil
    ) throws(LogError) {
        var watch: SharedLock.Watch?
        while true {
            switch try control.stateValue() {
            case .open: break
            case .poisoned: throw files.poisoned()
            case .deleted: throw files.deleted()
            }
            if try control.durablePosition() >= target { return }
            if let holding = try role(control, slot, &watch) {
                try work(control, holding, seen)
                continue
            }
            let word = control.flushFutex.load()
            control.flushWaiters.storeReleasing(1)
            if try control.durablePosition() >= target { return }
            control.flushFutex.wait(while: word, nanoseconds: Self.waitNanoseconds)
        }
    }

    /// The flusher's role; nil while another has it and is not dead or stopped.
    private func role(
        _ control: borrowing ControlPage, _ slot: borrowing OwnerSlot,
        _ watch: inout SharedLock.Watch?
    ) throws(LogError) -> SharedLock.Holding? {
        if var holding = SharedLock.tryTake(control.flusher, slot: slot.number) {
            SharedLock.markSlow(control.flusher, &holding)
            return holding
        }
        // One wait first: most flushers are at work and live.
        guard var waiting = watch else {
            watch = SharedLock.Watch()
            return nil
        }
        let holding = try SharedLock.succeed(control.flusher, slot: slot, &waiting)
        watch = waiting
        return holding
    }

    private func work(
        _ control: borrowing ControlPage, _ holding: SharedLock.Holding, _ seen: SeenSources?
    ) throws(LogError) {
        do throws(LogError) {
            let durable = try control.durablePosition()
            let target = try control.publishedValue().position
            try files.withView(control) { (view) throws(LogError) in
                let list = view.list
                try sources?.flush(
                    from: durable, to: target, seen: seen, in: list, of: files)
                // The predecessor may have been told of a failed write that nobody will be told of
                // again: what it was to sync is written anew.
                if holding.isSuccession { try rewrite(from: durable, to: target, in: list) }
                try sync(from: durable, to: target, in: list, control)
            }
            ControlPage.raise(control.durable, to: target >> 6)
            SharedLock.release(control.flusher, holding)
            control.wakeFlushWaiters()
        } catch {
            // Who succeeded a flusher and could not write anew what that one may have lost keeps the
            // role, so that the next one has to succeed it, and to write anew.
            if !holding.isSuccession { SharedLock.release(control.flusher, holding) }
            control.wakeFlushWaiters()
            throw error
        }
    }

    /// Syncs the segments that hold log positions `durable ..< target`, and their names.
    private func sync(
        from durable: UInt64, to target: UInt64, in list: SegmentList,
        _ control: borrowing ControlPage
    ) throws(LogError) {
        var isNameNew = false
        for entry in overlapping(durable, target, in: list) {
            do throws(SystemError) { try FileHandle(entry.path, .read).syncData() } catch {
                throw poison(control, error)
            }
            if entry.header.basePosition >= durable { isNameNew = true }
        }
        guard isNameNew else { return }
        do throws(SystemError) { try Files.syncDirectory(files.directory) } catch {
            throw poison(control, error)
        }
    }

    /// Makes the segment at log position `position` durable, even if it has no batch yet; returns
    /// its base offset, or nil when retention has removed it meanwhile.
    func syncSegment(
        at position: UInt64, _ control: borrowing ControlPage
    ) throws(LogError) -> UInt64? {
        let list = try files.segments(from: position)
        guard let entry = list.entries.first, entry.header.basePosition == position else {
            if try control.startPosition() > position { return nil }
            throw files.missingSegment(position)
        }
        do throws(SystemError) {
            try FileHandle(entry.path, .read).sync()
            try Files.syncDirectory(files.directory)
        } catch {
            if error.isNotFound, try control.startPosition() > position { return nil }
            throw poison(control, error)
        }
        return entry.header.baseOffset
    }

    /// Says that a sync has failed, before anything else.
    ///
    /// A file that could not be opened for it, with whatever error, can be tried again: the kernel
    /// was not asked to sync, so it has forgotten nothing, and nothing is durable before it has.
    private func poison(_ control: borrowing ControlPage, _ error: SystemError) -> LogError {
        let failure = LogError(error, while: "cannot sync")
        return error.operation == "open" ? failure : files.poison(control, failure)
    }

    private func overlapping(
        _ durable: UInt64, _ target: UInt64, in list: SegmentList
    ) -> [SegmentEntry] {
        list.entries.indices.filter {
            list.entries[$0].header.basePosition < target
                && list.limit(of: $0, published: target) > durable
        }.map { list.entries[$0] }
    }

    /// Writes log positions `durable ..< target` again, as they are in memory.
    private func rewrite(
        from durable: UInt64, to target: UInt64, in list: SegmentList
    ) throws(LogError) {
        for entry in overlapping(durable, target, in: list) {
            let first = max(durable, entry.header.basePosition)
            guard let index = list.index(ofPosition: first) else { continue }
            let limit = list.limit(of: index, published: target)
            var segment = try files.open(entry)
            try segment.extend(to: limit)
            let bytes = segment.bytes(from: first, to: limit)
            let place = segment.fileOffset(first)
            do throws(SystemError) {
                try FileHandle(entry.path, .readWrite).write(bytes, at: place)
            } catch {
                throw LogError(error, while: "cannot write the segment anew")
            }
        }
    }
}
