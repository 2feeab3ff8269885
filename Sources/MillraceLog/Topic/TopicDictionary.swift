internal import MillraceSystem

/// The texts that batch headers of a topic name by number: groups, sources, models, kernel sets.
///
/// A file of records (`DictionaryRecord`); the id of a text is its place, counted from 1. A text is
/// durable before its id is used.
///
/// Whoever adds a text waits for nobody. The text that gets id N is the one whose record first gets
/// the name `dictionary.N`; a name is given once, so no lock is needed. Whoever finds that file,
/// and no record N, puts its bytes at the end of the dictionary, where they belong: one process or
/// several, at once or long after the others, which changes nothing, since the bytes and the place
/// are the same. A process that was stopped anywhere in between is helped so, and does no harm when
/// it wakes. The file goes when the record is on the disk.
/// **Thread-safety**: any thread, any number of processes.
final class TopicDictionary: Sendable {
    private struct State {
        var texts: [String] = []
        var ids: [String: UInt32] = [:]
        /// Bytes of the file that have been read.
        var read = 0
        /// Ids up to this one are known to be on the disk.
        var durable = 0
        /// Whether part of a record lies behind what has been read.
        var isTorn = false
    }

    static let maxTextBytes = DictionaryRecord.maxTextBytes
    private static let maxFileBytes = 1 << 28

    private let path: String
    private let state = Lock(State())

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
        try given(text).id
    }

    /// The same, and whether it was given by this call: nothing names it yet.
    func given(_ text: String) throws(LogError) -> (id: UInt32, isNew: Bool) {
        try locked { (state: inout State) throws(LogError) -> (id: UInt32, isNew: Bool) in
            if let id = state.ids[text], id <= state.durable { return (id, false) }
            while true {
                try self.refresh(&state)
                try self.settle(&state)
                if let id = state.ids[text] { return (id, false) }
                if try self.add(text, &state), let id = state.ids[text] { return (id, true) }
            }
        }
    }

    private func locked<R>(_ body: (inout State) throws(LogError) -> R) throws(LogError) -> R {
        do throws(LogError) {
            return try state.withLock { (state) throws(LogError) -> R in try body(&state) }
        } catch {
            guard error.cause?.isNotFound == true, !Files.exists(Files.parent(of: path)) else {
                throw error
            }
            throw LogError(
                .notFound, "the topic has been deleted; stop, or open it anew", path: path)
        }
    }

    /// Tries once to give the next id to a text; false when another got it, or has to look again.
    private func add(_ text: String, _ state: inout State) throws(LogError) -> Bool {
        let id = state.texts.count + 1
        let wanted = try Self.record(text, id: id, path)
        guard let (decided, isOurs) = try decide(id, wanted, isTorn: state.isTorn) else {
            if state.isTorn { try cut(&state) }
            return false
        }
        // After the file was read: while there is no record N, nobody has removed the file that was
        // the first of its name.
        try refresh(&state)
        let isMissing = state.texts.count < id
        if isMissing {
            try check(decided, id: id)
            try write(decided, at: state.read)
            try refresh(&state)
            state.durable = max(state.durable, id)
        }
        try removeClaim(id)
        return isOurs && isMissing
    }

    /// The record that gets an id, and whether it is `wanted` because we said so; nil when one has to
    /// look again.
    private func decide(
        _ id: Int, _ wanted: [UInt8], isTorn: Bool
    ) throws(LogError) -> (record: [UInt8], isOurs: Bool)? {
        let claim = claim(id)
        do throws(SystemError) {
            var isOurs = false
            if try !Files.isThere(claim) {
                if isTorn { return nil }
                isOurs = try Files.writeOnce(claim, wanted)
            }
            let record = try Files.read(claim, maxBytes: 2 * Self.maxTextBytes)
            // On the disk before any of it is in the dictionary: a loss of power leaves part of a
            // record there only together with this file.
            try Files.syncDirectory(Files.parent(of: path))
            return (record, isOurs)
        } catch {
            if error.isNotFound, Files.exists(path) { return nil }
            throw LogError(error, while: "cannot extend the dictionary")
        }
    }

    /// The file whose name gives an id to the text in it.
    private func claim(_ id: Int) -> String { "\(path).\(id)" }

    private func removeClaim(_ id: Int) throws(LogError) {
        do throws(SystemError) { try Files.remove(claim(id)) } catch {
            guard error.isNotFound else {
                throw LogError(error, while: "cannot extend the dictionary")
            }
        }
    }

    private static func record(
        _ text: String, id: Int, _ path: String
    ) throws(LogError) -> [UInt8] {
        let body = Array(text.utf8)
        guard body.count <= maxTextBytes else {
            throw LogError(.tooLarge, "a name in the dictionary has at most 16 MiB", path: path)
        }
        guard !body.isEmpty, !body.contains(0) else {
            throw LogError(
                .invalidArgument, "a name in the dictionary is not empty and has no zero bytes",
                path: path)
        }
        return DictionaryRecord.encoded(body, id: id)
    }

    private func check(_ bytes: [UInt8], id: Int) throws(LogError) {
        let raw = unsafe bytes.span.bytes  // SAFETY: an array of bytes is initialised.
        let record = DictionaryRecord(header: 0, in: raw)
        guard let record, record.id == id, record.size == bytes.count,
            record.isIntact(at: 0, in: raw)
        else {
            throw LogError.corrupt(
                claim(id), at: 0, expected: "the record of id \(id)", found: "other bytes")
        }
    }

    /// Writes a record at its place, where nothing else can ever be, and syncs it.
    private func write(_ record: [UInt8], at place: Int) throws(LogError) {
        try wrapping("cannot extend the dictionary") { () throws(SystemError) in
            let file = try FileHandle(path, .readWrite)
            try file.write(record, at: place)
            try file.sync()
        }
    }

    /// Cuts off part of a record that nobody is writing: damage that looks like a torn end.
    ///
    /// Whoever adds a text and dies half-way leaves `dictionary.N` behind, so it was none of them.
    /// Cutting twice would do harm, so it needs a lock. As long as the part is there, nobody adds a
    /// text without having got it; who is stopped with it keeps others from adding texts, no more.
    private func cut(_ state: inout State) throws(LogError) {
        let lockPath = path + ".lock"
        let lock = try wrapping("cannot lock the dictionary") { () throws(SystemError) in
            try FileLock.acquire(lockPath, waitingMilliseconds: Self.lockMilliseconds)
        }
        guard let lock else {
            throw LogError(
                .busy,
                "\(FileLock.holderText(lockPath)) has been mending the dictionary for "
                    + "\(Self.lockMilliseconds / 1000) s; let it go on, or end it, and try again",
                path: lockPath)
        }
        try withExtendedLifetime(lock) { () throws(LogError) in
            try refresh(&state)
            let at = state.read
            let claim = claim(state.texts.count + 1)
            let isClaimed = try wrapping("cannot extend the dictionary") {
                () throws(SystemError) in try Files.isThere(claim)
            }
            // What was being written when we looked is whole by now.
            try refresh(&state)
            guard !isClaimed, state.isTorn, state.read == at else { return }
            try wrapping("cannot mend the dictionary") { () throws(SystemError) in
                let file = try FileHandle(path, .readWrite)
                try file.truncate(to: at)
                try file.sync()
            }
        }
    }

    private static let lockMilliseconds = 5_000

    private func add(_ text: String, _ bytes: Int, _ state: inout State) {
        state.texts.append(text)
        state.ids[text] = UInt32(state.texts.count)
        state.read += bytes
    }

    /// Makes durable what others have added.
    ///
    /// Only the last record can be missing on the disk: who added it may have died before its sync,
    /// or been told that it failed, after which a sync alone would promise nothing.
    private func settle(_ state: inout State) throws(LogError) {
        guard let last = state.texts.last, state.texts.count > state.durable else { return }
        let record = DictionaryRecord.encoded(Array(last.utf8), id: state.texts.count)
        try write(record, at: state.read - record.count)
        state.durable = state.texts.count
        try removeClaim(state.texts.count)
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
        state.isTorn = false
        while state.read < raw.byteCount {
            let at = state.read
            let record = DictionaryRecord(header: at, in: raw)
            guard let record, record.id == state.texts.count + 1, record.isIntact(at: at, in: raw)
            else {
                if DictionaryRecord.isTorn(at: at, in: raw) {
                    state.isTorn = true
                    return
                }
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
