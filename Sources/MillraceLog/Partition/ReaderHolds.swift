internal import MillraceSystem

/// The readers of a partition whose rows retention waits for.
///
/// A file of 256 slots of 64 bytes, each with a checked word: log position / 64 of the segment that
/// the reader is in. A reader holds the kernel's lock on its slot's byte while it lives; what is in a
/// slot without a lock counts for nothing. Readers write only when they go from segment to segment.
struct ReaderHold: ~Copyable, Sendable {
    private let file: FileHandle
    private let map: MappedFile
    private let slot: Int
    private let control: ControlPage

    static let slots = 256
    private static let byteCount = slots * 64

    /// Registers a reader that holds everything until it says where it is.
    ///
    /// Retention that looked for readers before this cannot go on: it looks again.
    init(_ path: String, _ control: consuming ControlPage) throws(LogError) {
        let doing = "cannot register as a reader"
        let file = try wrapping(doing) { () throws(SystemError) in
            try FileHandle(path, .openOrCreate)
        }
        try Self.extend(file, doing)
        var found: Int?
        for candidate in 0..<Self.slots where try Self.take(file, candidate, doing) {
            found = candidate
            break
        }
        guard let slot = found else {
            throw LogError(.busy, "\(Self.slots) readers hold rows already", path: path)
        }
        let map = try Self.map(file, doing)
        map.word(at: slot * 64).storeReleasing(CheckedWord.seal(0))
        try control.countHold()
        self.file = file
        self.map = map
        self.slot = slot
        self.control = control
    }

    deinit {
        // As for a writer's slot: a forked child may still have the descriptor.
        do { try file.unlock(byte: slot) } catch {}
    }

    /// Says where the reader is now.
    func move(to position: UInt64) throws(LogError) {
        let word = map.word(at: slot * 64)
        let before = CheckedWord.open(word.loadAcquiring()) ?? 0
        word.storeReleasing(CheckedWord.seal(position >> 6))
        // Who goes back holds what it did not hold before.
        if position >> 6 < before { try control.countHold() }
    }

    /// The least log position that a living reader holds; nil when none does.
    static func lowest(_ path: String) throws(LogError) -> UInt64? {
        let doing = "cannot look after readers"
        let isThere = try wrapping(doing) { () throws(SystemError) in try Files.isThere(path) }
        guard isThere else { return nil }
        let file = try wrapping(doing) { () throws(SystemError) in try FileHandle(path, .readWrite)
        }
        try extend(file, doing)
        let map = try map(file, doing)
        var lowest: UInt64?
        for slot in 0..<slots where try isLocked(file, slot, doing) {
            // A word that is damaged or not written yet holds everything.
            let position = CheckedWord.open(map.word(at: slot * 64).loadAcquiring()) ?? 0
            lowest = min(lowest ?? .max, position << 6)
        }
        return lowest
    }

    private static func extend(
        _ file: borrowing FileHandle, _ doing: String
    ) throws(LogError) {
        do throws(SystemError) {
            // Reserved, so that a full disk is an error here and not a fault at the first store.
            guard try file.size() < byteCount else { return }
            if try file.allocate(from: 0, bytes: byteCount) { return }
            try file.write([UInt8](repeating: 0, count: byteCount), at: 0)
        } catch {
            throw LogError(error, while: doing)
        }
    }

    private static func map(
        _ file: borrowing FileHandle, _ doing: String
    ) throws(LogError) -> MappedFile {
        do throws(SystemError) { return try file.map(bytes: byteCount, writable: true) } catch {
            throw LogError(error, while: doing)
        }
    }

    private static func take(
        _ file: borrowing FileHandle, _ slot: Int, _ doing: String
    ) throws(LogError) -> Bool {
        do throws(SystemError) { return try file.tryLock(byte: slot) } catch {
            throw LogError(error, while: doing)
        }
    }

    private static func isLocked(
        _ file: borrowing FileHandle, _ slot: Int, _ doing: String
    ) throws(LogError) -> Bool {
        do throws(SystemError) { return try file.isLocked(byte: slot) } catch {
            throw LogError(error, while: doing)
        }
    }
}
