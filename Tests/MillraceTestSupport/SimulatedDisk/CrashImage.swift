internal import Glibc
internal import MillraceSystem

/// What is on a disk after a loss of power.
package struct CrashImage: Sendable, Equatable {
    /// Paths of the directories below the root, each before those in it.
    package private(set) var directories: [String] = []
    /// Contents of the files by their paths below the root.
    package private(set) var contents: [String: [UInt8]] = [:]

    init(_ state: DiskState, seed: UInt64) {
        state.afterCrash(seed: seed) { path, content in
            if let content { contents[path] = content.bytes } else { directories.append(path) }
        }
    }

    /// Writes such a disk into `root`, which is made when it is not there; it is otherwise empty.
    ///
    /// Nothing is synced: this is a stage for a test, not data.
    static func write(_ state: DiskState, seed: UInt64, to root: String) throws {
        try makeDirectory(root)
        // File by file: the memory of one is used again for the next.
        try state.afterCrash(seed: seed) { path, content in
            if let content {
                try write(content, to: root + "/" + path)
            } else {
                try makeDirectory(root + "/" + path)
            }
        }
    }

    private static func makeDirectory(_ path: String) throws {
        guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw SystemError(operation: "mkdir", path: path, errno: errno)
        }
    }

    /// Writes the blocks that are not zeros; the rest are holes.
    private static func write(_ content: ByteImage, to path: String) throws {
        let file = try FileHandle(path, .createNew)
        if content.count > 0 { try file.truncate(to: content.count) }
        let bytes = content.bytes
        var start = 0
        while start < content.count {
            var end = start
            while end < content.count, !content.isZero(end..<min(end + 4096, content.count)) {
                end = min(end + 4096, content.count)
            }
            if end > start {
                // SAFETY: every byte of an array of bytes is initialised.
                try file.write(unsafe bytes.span.bytes.extracting(start..<end), at: start)
            }
            start = end + 4096
        }
    }
}
