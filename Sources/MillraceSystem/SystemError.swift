internal import Glibc

/// A system call that failed: which one, on what, and the kernel's reason.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was attempted, in the words of the call (`open`, `pwrite`, `fdatasync`).
    public let operation: String
    /// The file or directory concerned; empty where there is none.
    public let path: String
    /// The kernel's error number.
    public let errno: Int32

    /// Describes a failed call.
    public init(operation: String, path: String, errno: Int32) {
        self.operation = operation
        self.path = path
        self.errno = errno
    }

    /// The kernel's text for `errno`.
    public var reason: String { unsafe String(cString: strerror(errno)) }

    /// Whether the file or directory does not exist.
    public var isNotFound: Bool { errno == ENOENT || errno == ENOTDIR }

    /// Whether a name that was to be given is taken.
    package var isOccupied: Bool { errno == EEXIST || errno == ENOTEMPTY }

    /// Whether a disk or a quota is full.
    public var isOutOfSpace: Bool { errno == ENOSPC || errno == EDQUOT }

    /// What the file system lacks that the call needed, in words; nil for other failures.
    public var lackOfFileSystem: String? {
        if operation.hasPrefix("fcntl(F_OFD_"),
            [ENOLCK, EOPNOTSUPP, ENOSYS, EINVAL].contains(errno)
        {
            return "locks of open files (F_OFD_SETLK)"
        }
        if operation == "mmap", [ENODEV, EOPNOTSUPP].contains(errno) {
            return "shared mappings (mmap)"
        }
        return nil
    }

    /// The file, the call and the kernel's reason; where the file system lacks what is needed,
    /// which it is and what to use instead.
    public var description: String {
        let failure = path.isEmpty ? "\(operation): \(reason)" : "\(path): \(operation): \(reason)"
        guard let lack = lackOfFileSystem else { return failure }
        let type = FileSystemType.name(of: path).map { " (\($0))" } ?? ""
        return "\(failure); this file system\(type) has no \(lack): put the data directory on "
            + "one that has, such as ext4, xfs or tmpfs"
    }
}
