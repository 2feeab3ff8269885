internal import Glibc

/// A file's size and the disk blocks under it.
extension FileHandle {
    package func truncate(to size: Int) throws(SystemError) {
        try Syscalls.truncate(descriptor, path, to: size)
    }

    /// Reserves disk blocks, so that a full disk is an error here and not a fault later.
    package func allocate(bytes: Int) throws(SystemError) {
        try Syscalls.allocate(descriptor, path, from: 0, bytes: bytes)
    }

    /// Reserves disk blocks for the `bytes` bytes from `offset`, which read as zeros, and extends
    /// the file over them.
    ///
    /// Where the file system cannot reserve, the file is only extended, and the result is false:
    /// a full disk is then found when the bytes are written. One caller at a time: an extension of
    /// the same file by another that runs meanwhile may be taken back.
    ///
    /// **Durability**: none before `syncData()`.
    ///
    /// - Throws: `SystemError`, `isOutOfSpace` when the blocks are not there.
    package func allocate(from offset: Int, bytes: Int) throws(SystemError) -> Bool {
        do {
            try Syscalls.allocate(descriptor, path, from: offset, bytes: bytes)
            return true
        } catch {
            guard error.errno == EOPNOTSUPP else { throw error }
        }
        if try size() < offset + bytes { try truncate(to: offset + bytes) }
        return false
    }

    /// Starts writing the `bytes` bytes from `offset` to the disk, so that a later sync waits less.
    ///
    /// Does nothing where the kernel or file system cannot.
    ///
    /// **Durability**: none.
    package func startWriteback(from offset: Int, bytes: Int) throws(SystemError) {
        do {
            try Syscalls.startWriteback(descriptor, path, from: offset, bytes: bytes)
        } catch {
            guard error.errno == ENOSYS || error.errno == EOPNOTSUPP else { throw error }
        }
    }
}
