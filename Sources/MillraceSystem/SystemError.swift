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

    /// The file, the call and the kernel's reason.
    public var description: String {
        path.isEmpty ? "\(operation): \(reason)" : "\(path): \(operation): \(reason)"
    }
}
