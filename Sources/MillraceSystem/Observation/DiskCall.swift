/// One attempt at a system call that concerns files, as an observer sees it.
package enum DiskCall: Sendable {
    /// A file as the caller names it, and what it is: the name may be that of an earlier time.
    package struct File: Hashable, Sendable {
        package let path: String
        package let identity: FileIdentity
    }

    /// Opening; the result is the descriptor. `flags` are the kernel's `O_` bits.
    case open(path: String, flags: Int32)
    /// Asking whether something exists and what it is.
    case status(path: String)
    case size(File)
    case read(File, offset: Int, count: Int)
    case write(File, offset: Int, bytes: [UInt8])
    case syncData(File)
    /// `fsync` of a file, or of a directory.
    case sync(File)
    case truncate(File, size: Int)
    case allocate(File, offset: Int, count: Int)
    case startWriteback(File, offset: Int, count: Int)
    case map(File, count: Int, writable: Bool)
    /// `msync` of the first `count` bytes of a mapping.
    case syncMap(File, count: Int)
    case populate(File, offset: Int, count: Int)
    /// Taking the lock on one byte; the result is 1 when another description holds it.
    case tryLock(File, byte: Int)
    /// Sharing the lock on one byte; the result is 1 when another description holds it alone.
    case tryShare(File, byte: Int)
    case unlock(File, byte: Int)
    /// Asking for the holder of a lock; the result is 1 when another description holds it.
    case queryLock(File, byte: Int)
    case makeDirectory(path: String)
    case rename(from: String, to: String)
    case unlink(path: String)
    case removeDirectory(path: String)
    case list(path: String)

    /// The call without its arguments.
    package enum Kind: String, CaseIterable, Sendable {
        case open, status, size, read, write, syncData, sync, truncate, allocate, startWriteback
        case map, syncMap, populate, tryLock, tryShare, unlock, queryLock
        case makeDirectory, rename, unlink, removeDirectory, list
    }

    package var kind: Kind {
        switch self {
        case .open: .open
        case .status: .status
        case .size: .size
        case .read: .read
        case .write: .write
        case .syncData: .syncData
        case .sync: .sync
        case .truncate: .truncate
        case .allocate: .allocate
        case .startWriteback: .startWriteback
        case .map: .map
        case .syncMap: .syncMap
        case .populate: .populate
        case .tryLock: .tryLock
        case .tryShare: .tryShare
        case .unlock: .unlock
        case .queryLock: .queryLock
        case .makeDirectory: .makeDirectory
        case .rename: .rename
        case .unlink: .unlink
        case .removeDirectory: .removeDirectory
        case .list: .list
        }
    }

    /// The file or directory concerned; what is renamed, not its new name.
    package var path: String {
        switch self {
        case .open(let path, _), .status(let path), .makeDirectory(let path), .unlink(let path),
            .removeDirectory(let path), .list(let path), .rename(let path, _):
            path
        case .size(let file), .read(let file, _, _), .write(let file, _, _), .syncData(let file),
            .sync(let file), .truncate(let file, _), .allocate(let file, _, _),
            .startWriteback(let file, _, _), .map(let file, _, _), .syncMap(let file, _),
            .populate(let file, _, _), .tryLock(let file, _), .tryShare(let file, _),
            .unlock(let file, _), .queryLock(let file, _):
            file.path
        }
    }

    /// What a call that is not performed and yet succeeds returns: all bytes written, or zero.
    var pretendedResult: Int {
        if case .write(_, _, let bytes) = self { bytes.count } else { 0 }
    }
}
