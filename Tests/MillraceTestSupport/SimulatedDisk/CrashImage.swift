internal import Glibc
internal import MillraceSystem

/// What is on a disk after a loss of power.
package struct CrashImage: Sendable, Equatable {
    /// Paths below the root, each directory before what is in it.
    package private(set) var directories: [String] = []
    private var files: [(path: String, content: ByteImage)] = []

    mutating func add(directory: String) { directories.append(directory) }

    mutating func add(file: String, _ content: ByteImage) { files.append((file, content)) }

    /// Contents of the files by their paths below the root.
    package var contents: [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: files.map { ($0.path, $0.content.bytes) })
    }

    package static func == (a: CrashImage, b: CrashImage) -> Bool {
        a.directories == b.directories && a.contents == b.contents
    }

    /// Writes everything into `root`, which is made when it is not there; it is otherwise empty.
    ///
    /// Nothing is synced: this is a stage for a test, not data.
    package func write(to root: String) throws {
        for directory in [root] + directories.map({ root + "/" + $0 }) {
            guard unsafe mkdir(directory, 0o755) == 0 || errno == EEXIST else {
                throw SystemError(operation: "mkdir", path: directory, errno: errno)
            }
        }
        for (path, content) in files { try Self.write(content, to: root + "/" + path) }
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
