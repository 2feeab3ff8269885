internal import MillraceSystem

extension ControlPage {
    /// Whether the append lock or the flusher's is held by `slot`.
    fileprivate func namesOwner(_ slot: Int) -> Bool {
        SharedLock.owner(appender) == slot || SharedLock.owner(flusher) == slot
    }
}

/// A number that stands for one writer while it lives.
///
/// It holds the kernel's lock on that byte of the partition's `writers` file. The kernel releases
/// it when the process dies, whatever the process was doing, which is how others notice.
struct OwnerSlot: ~Copyable, Sendable {
    private let file: FileHandle
    let number: Int

    /// Most writers that one partition may have open at a time.
    static let limit = 4096

    /// Takes a number that no lock of the partition names.
    ///
    /// One whose owner died with a lock stays free: who has it next would be taken for the owner.
    init(_ path: String, _ control: borrowing ControlPage) throws(LogError) {
        let doing = "cannot register as a writer"
        let file = try wrapping(doing) { () throws(SystemError) in
            try FileHandle(path, .openOrCreate)
        }
        var found: Int?
        for candidate in 0..<Self.limit where try Self.take(file, candidate, doing) {
            if !control.namesOwner(candidate) {
                found = candidate
                break
            }
            try Self.giveBack(file, candidate, doing)
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

    private static func giveBack(
        _ file: borrowing FileHandle, _ byte: Int, _ doing: String
    ) throws(LogError) {
        do throws(SystemError) { try file.unlock(byte: byte) } catch {
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
