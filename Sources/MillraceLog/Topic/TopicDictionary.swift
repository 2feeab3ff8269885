internal import MillraceSystem
internal import Synchronization

/// The texts that batch headers of a topic name by number: groups, sources, models, kernel sets.
///
/// A file of records (`DictionaryRecord`); the id of a text is its place, counted from 1. A text is
/// durable before its id is used.
/// **Thread-safety**: any thread; writers of other processes are kept out by a lock.
final class TopicDictionary: Sendable {
    private struct State {
        var texts: [String] = []
        var ids: [String: UInt32] = [:]
        /// Bytes of the file that have been read.
        var read = 0
        /// Ids up to this one are known to be on the disk.
        var durable = 0
    }

    static let maxTextBytes = DictionaryRecord.maxTextBytes
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
            if let id = state.ids[text], id <= state.durable { return id }
            let lock = try self.lock()
            return try withExtendedLifetime(lock) { () throws(LogError) -> UInt32 in
                try self.refresh(&state)
                try self.settle(&state)
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
        let at = state.read
        let record = DictionaryRecord.encoded(body, id: state.texts.count + 1)
        try wrapping("cannot extend the dictionary") { () throws(SystemError) in
            let file = try FileHandle(path, .readWrite)
            if try file.size() > at {
                // What a writer that died half-way left behind must not come back in part.
                try file.truncate(to: at)
                try file.sync()
            }
            try file.write(record, at: at)
            try file.sync()
        }
        add(text, record.count, &state)
        state.durable = state.texts.count
    }

    private func add(_ text: String, _ bytes: Int, _ state: inout State) {
        state.texts.append(text)
        state.ids[text] = UInt32(state.texts.count)
        state.read += bytes
    }

    /// Makes durable what others have appended; the lock is held.
    ///
    /// Only the last record can be missing on the disk: who appended it may have died before its
    /// sync, or been told that it failed, after which a sync alone would promise nothing.
    private func settle(_ state: inout State) throws(LogError) {
        guard let last = state.texts.last, state.texts.count > state.durable else { return }
        let record = DictionaryRecord.encoded(Array(last.utf8), id: state.texts.count)
        let at = state.read - record.count
        try wrapping("cannot sync the dictionary") { () throws(SystemError) in
            let file = try FileHandle(path, .readWrite)
            try file.write(record, at: at)
            try file.sync()
        }
        state.durable = state.texts.count
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
            let at = state.read
            let record = DictionaryRecord(header: at, in: raw)
            guard let record, record.id == state.texts.count + 1, record.isIntact(at: at, in: raw)
            else {
                if DictionaryRecord.isTorn(at: at, in: raw) { return }
                throw LogError.corrupt(
                    path, at: at, expected: "id \(state.texts.count + 1) and its text",
                    found: record.map { "id \($0.id)" } ?? "no header of a text")
            }
            let start = at + DictionaryRecord.headerBytes
            let text = String(decoding: bytes[start..<start + record.length], as: UTF8.self)
            add(text, record.size, &state)
        }
    }
}
