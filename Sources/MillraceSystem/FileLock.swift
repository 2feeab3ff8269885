internal import Glibc

/// An exclusive lock, held for the life of the value.
///
/// The kernel releases it when its holder dies. Its file names the holder's process, for messages.
package struct FileLock: ~Copyable, Sendable {
    private let file: FileHandle

    private init(file: consuming FileHandle) { self.file = file }

    deinit {
        // Closing is not enough while a child that was just forked still has the descriptor. Should
        // this fail, the lock goes when the last descriptor does.
        do { try file.unlock(byte: 0) } catch {}
    }

    /// Takes the lock, or returns nil at once when somebody else holds it.
    package static func acquire(_ path: String) throws(SystemError) -> FileLock? {
        let file = try FileHandle(path, .openOrCreate)
        guard try file.tryLock(byte: 0) else { return nil }
        // For people alone; a full disk is no reason not to hold the lock, which may be what it takes to
        // make room.
        do throws(SystemError) {
            try file.truncate(to: 0)
            try file.write(Array("\(getpid())\n".utf8), at: 0)
        } catch { guard error.isOutOfSpace else { throw error } }
        return FileLock(file: file)
    }

    /// Takes the lock, or returns nil when somebody else has held it all the time.
    ///
    /// For what is done in moments, so waiting is by trying again.
    package static func acquire(
        _ path: String, waitingMilliseconds limit: Int
    ) throws(SystemError) -> FileLock? {
        for _ in 0..<limit {
            if let lock = try acquire(path) { return lock }
            PinnedThread.sleep(nanoseconds: 1_000_000)
        }
        return try acquire(path)
    }

    /// The holder in words, for messages: its process, if the file tells.
    package static func holderText(_ path: String) -> String {
        var holder: Int?
        do throws(SystemError) { holder = try self.holder(path) } catch {}
        return holder.map { "process \($0)" } ?? "another process"
    }

    /// The process that says it holds the lock; nil when the file does not tell.
    package static func holder(_ path: String) throws(SystemError) -> Int? {
        let text = try Files.read(path, maxBytes: 32)
        return Int(String(decoding: text.prefix { $0 != 10 }, as: UTF8.self))
    }
}
