internal import MillraceSystem

/// What everybody who opens a partition does first.
///
/// The first who opens it after the machine went down recovers it, be it a writer or a reader.
enum PartitionEntry {
    /// Recovers the partition when the machine went down while it was written.
    ///
    /// - Returns: how many bytes were dropped because they had not been synced.
    /// - Throws: `corrupt` when what was durable is damaged; nothing is changed then.
    static func recoverIfNeeded(
        _ files: PartitionFiles, sources: SourceTopics?
    ) throws(LogError) -> Int {
        let boot = try bootID(files)
        let control = try files.openControl(writable: false)
        guard try needsRecovery(control, boot: boot) else { return 0 }
        let writable = try files.openControl(writable: true)
        let slot = try OwnerSlot(files.writers, writable)
        var holding = try SharedLock.take(writable.appender, slot: slot)
        SharedLock.markSlow(writable.appender, &holding)
        do throws(LogError) {
            let torn = try recover(files, writable, boot: boot, sources: sources)
            SharedLock.release(writable.appender, holding)
            return torn
        } catch {
            SharedLock.release(writable.appender, holding)
            throw error
        }
    }

    static func bootID(_ files: PartitionFiles) throws(LogError) -> UInt64 {
        try wrapping("cannot identify the boot") { () throws(SystemError) in
            try BootID.current(for: files.directory)
        }
    }

    private static func needsRecovery(
        _ control: borrowing ControlPage, boot: UInt64
    ) throws(LogError) -> Bool {
        if try control.bootValue() == boot { return false }
        // What a failed sync made of the partition, nobody knows but the disk.
        if try control.stateValue() == .poisoned { return true }
        let published = try control.publishedValue()
        return try control.cleanValue() != published
    }

    private static func recover(
        _ files: PartitionFiles, _ control: borrowing ControlPage, boot: UInt64,
        sources: SourceTopics?
    ) throws(LogError) -> Int {
        // Another may have done it while we waited for the lock, or while we read.
        while try needsRecovery(control, boot: boot) {
            do throws(LogError) {
                let recovery = try CrashRecovery(files, control: control, sources: sources)
                if try recovery.apply(control: control, boot: boot) { return recovery.tornBytes }
            } catch {
                // Another may have recovered the partition while we read it, and go on appending.
                if try needsRecovery(control, boot: boot) { throw error }
            }
        }
        return 0
    }
}
