internal import MillraceSystem

/// A number that stands for one writer while it lives.
///
/// It holds the kernel's lock on that byte of the partition's `writers` file. The kernel releases
/// it when the process dies, whatever the process was doing, which is how others notice.
struct OwnerSlot: ~Copyable, Sendable {
    private let file: FileHandle
    let number: Int

    /// Most writers that one partition may have open at a time.
    static let limit = 4096

    init(_ path: String) throws(LogError) {
        let doing = "cannot register as a writer"
        let file = try wrapping(doing) { () throws(SystemError) in
            try FileHandle(path, .openOrCreate)
        }
        var found: Int?
        for candidate in 0..<Self.limit
        where try Self.take(file, candidate, doing) {
            found = candidate
            break
        }
        guard let number = found else {
            throw LogError(
                .busy, "the partition has \(Self.limit) open writers already", path: path)
        }
        self.file = file
        self.number = number
    }

    private static func take(
        _ file: borrowing FileHandle, _ byte: Int, _ doing: String
    ) throws(LogError) -> Bool {
        do throws(SystemError) { return try file.tryLock(byte: byte) } catch {
            throw LogError(error, while: doing)
        }
    }

    deinit {
        // Closing is not enough while a child that was just forked still has the descriptor. Should
        // this fail, the lock goes when the last descriptor does.
        do { try file.unlock(byte: number) } catch {}
    }

    /// Whether somebody else holds `slot`, and so lives.
    func isAlive(_ slot: Int) throws(LogError) -> Bool {
        do throws(SystemError) { return try file.isLocked(byte: slot) } catch {
            throw LogError(error, while: "cannot look after another writer")
        }
    }
}
