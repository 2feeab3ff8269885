internal import MillraceSystem

/// Keeps a version of a model from being pruned, by any process, for as long as it lives.
///
/// It is a shared lock of the kernel's on the version's manifest: that of a process that dies is
/// gone.
public final class VersionHold: Sendable {
    static let byte = 0
    private let file: FileHandle

    private init(file: consuming FileHandle) { self.file = file }

    deinit {
        // Closing is not enough while a child that was just forked still has the descriptor.
        do { try file.unlock(byte: Self.byte) } catch {}
    }

    /// Holds the version whose manifest this is; nil when it is being pruned or is gone.
    static func take(manifest path: String) throws(SystemError) -> VersionHold? {
        do {
            let file = try FileHandle(path, .read)
            guard try file.tryShare(byte: byte) else { return nil }
            // It may have been pruned between being opened and being held.
            guard try FileHandle(path, .read).identity == file.identity else { return nil }
            return VersionHold(file: file)
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
    }
}
