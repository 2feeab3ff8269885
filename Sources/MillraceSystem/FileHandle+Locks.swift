/// Locks of open file descriptions on single bytes, which need not exist in the file.
///
/// The kernel releases a lock when the last holder of the description closes it or dies.
extension FileHandle {
    /// Takes the exclusive lock on one byte of the file, without waiting.
    ///
    /// False when another open file description holds it.
    package func tryLock(byte: Int) throws(SystemError) -> Bool {
        try Syscalls.tryLock(descriptor, path, byte: byte)
    }

    /// Shares the lock on one byte of the file, without waiting.
    ///
    /// False when another open file description holds the exclusive one. A file that is open for
    /// reading only will do; for the exclusive lock it must be open for writing.
    package func tryShare(byte: Int) throws(SystemError) -> Bool {
        try Syscalls.tryShare(descriptor, path, byte: byte)
    }

    /// Gives back the lock on one byte of the file.
    package func unlock(byte: Int) throws(SystemError) {
        try Syscalls.unlock(descriptor, path, byte: byte)
    }

    /// Whether another open file description holds the lock on one byte of the file.
    ///
    /// False for a lock of one's own. What is true may have ended when the caller looks at it.
    package func isLocked(byte: Int) throws(SystemError) -> Bool {
        try Syscalls.isLocked(descriptor, path, byte: byte)
    }
}
