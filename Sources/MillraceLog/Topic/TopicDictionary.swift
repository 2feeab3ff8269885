internal import MillraceSystem
internal import Synchronization

/// The texts that batch headers of a topic name by number: groups, sources, models, kernel sets.
///
/// A file of records, each `u32 length, u32 CRC-32C of the text, text`; the id of a text is its
/// place, counted from 1. A text is durable before its id is used.
/// **Thread-safety**: any thread; writers of other processes are kept out by a lock.
final class TopicDictionary: Sendable {
    private struct State {
        var texts: [String] = []
        var ids: [String: UInt32] = [:]
        /// Bytes of the file that have been read.
        var read = 0
    }

    static let maxTextBytes = 1 << 24
    private static let maxFileBytes = 1 << 28

    private let path: String
    private let state = Mutex(State())

    init(path: String) { self.path = path }

    /// The text of an id; nil when no such id was ever given.
    func text(_ id: UInt32) throws(LogError) -> String? {
        try locked { (state: inout State) throws(LogError) -> String? in
            if id > state.texts.count { try self.refresh(&state) }
            return id >= 1 && id <= state.texts.count ? state.texts[Int(id) - 1] : nil
        }
    }

    /// The id of a text, if it has one.
    func existingID(of text: String) throws(LogError) -> UInt32? {
        try locked { (state: inout State) throws(LogError) -> UInt32? in
            if state.ids[text] == nil { try self.refresh(&state) }
            return state.ids[text]
        }
    }

    /// The id of a text, given now and made durable if it had none.
    func id(of text: String) throws(LogError) -> UInt32 {
        try locked { (state: inout State) throws(LogError) -> UInt32 in
            if let id = state.ids[text] { return id }
            let lock = try self.lock()
            return try withExtendedLifetime(lock) { () throws(LogError) -> UInt32 in
                try self.refresh(&state)
                if let id = state.ids[text] { return id }
                try self.append(text, &state)
                return UInt32(state.texts.count)
            }
        }
    }

    private func locked<R>(_ body: (inout State) throws(LogError) -> R) throws(LogError) -> R {
        try state.withLock { (state) throws(LogError) -> R in try body(&state) }
    }

    private func lock() throws(LogError) -> FileLock {
        // The holder appends one record: 5 s means that it was stopped half-way.
        for _ in 0..<5_000 {
            if let lock = try wrapping(
                "cannot lock the dictionary",
                { () throws(SystemError) in try FileLock.acquire(path + ".lock") })
            {
                return lock
            }
            PinnedThread.sleep(nanoseconds: 1_000_000)
        }
        throw LogError(
            .busy, "another process has held the dictionary for 5 s", path: path + ".lock")
    }

    private func append(_ text: String, _ state: inout State) throws(LogError) {
        let body = Array(text.utf8)
        guard body.count <= Self.maxTextBytes else {
            throw LogError(.tooLarge, "a name in the dictionary has at most 16 MiB", path: path)
        }
        guard !body.isEmpty, !body.contains(0) else {
            throw LogError(
                .invalidArgument, "a name in the dictionary is not empty and has no zero bytes",
                path: path)
        }
        var buffer = AlignedBuffer(byteCount: 8 + body.count)
        var bytes = buffer.mutableBytes
        bytes.store(UInt32(body.count), at: 0)
        for (index, byte) in body.enumerated() { bytes.store(byte, at: 8 + index) }
        bytes.store(CRC32C.checksum(bytes.bytes.extracting(8..<8 + body.count)), at: 4)
        let content = bytes.bytes.extracting(0..<8 + body.count)
        let at = state.read
        try wrapping("cannot extend the dictionary") { () throws(SystemError) in
            let file = try FileHandle(path, .readWrite)
            try file.truncate(to: at)  // what a writer that died half-way left behind
            try file.write(content, at: at)
            try file.sync()
        }
        state.texts.append(text)
        state.ids[text] = UInt32(state.texts.count)
        state.read += 8 + body.count
    }

    /// Reads what others have appended.
    ///
    /// A torn record ends the reading: it was never acknowledged, and its id is in no batch.
    private func refresh(_ state: inout State) throws(LogError) {
        let bytes = try wrapping("cannot read the dictionary") { () throws(SystemError) in
            try Files.read(path, maxBytes: Self.maxFileBytes)
        }
        let span = bytes.span
        let raw = unsafe span.bytes  // SAFETY: every byte of an array of bytes is initialised.
        while state.read < raw.byteCount {
            guard let end = Self.endOfRecord(at: state.read, in: raw) else {
                if Self.isTorn(at: state.read, in: raw) { return }
                throw LogError.corrupt(
                    path, at: state.read, expected: "a text that matches its checksum",
                    found: "another")
            }
            let text = String(decoding: bytes[state.read + 8..<end], as: UTF8.self)
            state.texts.append(text)
            state.ids[text] = UInt32(state.texts.count)
            state.read = end
        }
    }

    /// Where the record at byte `start` ends; nil when it is not whole.
    private static func endOfRecord(at start: Int, in raw: RawSpan) -> Int? {
        guard start + 8 <= raw.byteCount else { return nil }
        let length = Int(raw.load(start, as: UInt32.self))
        let end = start + 8 + length
        guard (1...maxTextBytes).contains(length), end <= raw.byteCount,
            raw.load(start + 4, as: UInt32.self)
                == CRC32C.checksum(raw.extracting(start + 8..<end))
        else { return nil }
        return end
    }

    /// Whether the broken record at byte `start` was never acknowledged.
    ///
    /// Then it is the last one, and either short (its writer died) or partly zero (the machine
    /// went down): texts have no zero bytes, and what a sector has of the record is not all zeros.
    private static func isTorn(at start: Int, in raw: RawSpan) -> Bool {
        for next in start + 1..<raw.byteCount where endOfRecord(at: next, in: raw) != nil {
            return false
        }
        guard start + 8 <= raw.byteCount else { return true }
        let end = start + 8 + Int(raw.load(start, as: UInt32.self))
        return end > raw.byteCount
            || (start + 8..<raw.byteCount).contains { raw.load($0, as: UInt8.self) == 0 }
            || isZero(start..<min((start / 512 + 1) * 512, raw.byteCount), in: raw)
    }

    private static func isZero(_ range: Range<Int>, in raw: RawSpan) -> Bool {
        range.allSatisfy { raw.load($0, as: UInt8.self) == 0 }
    }
}
