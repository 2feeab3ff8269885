internal import MillraceSystem

/// A topic's dictionary, read past its faults.
///
/// Records tell their ids, so that a damaged one does not hide those behind it. Its text counts as
/// intact where the checksums prove it.
struct DictionaryScan: Sendable {
    /// The text of each id, from 1; nil for a damaged one.
    private(set) var texts: [[UInt8]?] = []
    /// Whether all ids are known: false when the last records cannot be counted.
    private(set) var isComplete = true

    /// An empty dictionary.
    init() {}

    init(path: String) {
        var ignored = Findings()
        self.init(path: path, &ignored)
    }

    init(path: String, _ findings: inout Findings) {
        var bytes: [UInt8] = []
        do throws(SystemError) { bytes = try Files.read(path, maxBytes: 1 << 28) } catch {
            isComplete = false
            findings.faults.append(
                TopicVerification.Fault(
                    .metadata, path, expected: "a dictionary", found: error.reason))
            return
        }
        let raw = unsafe bytes.span.bytes  // SAFETY: an array of bytes is initialised.
        var at = 0
        while at < raw.byteCount {
            let record = DictionaryRecord(header: at, in: raw)
            if let record, record.id == texts.count + 1, record.isIntact(at: at, in: raw) {
                texts.append(Self.text(at, record.length, bytes))
                at += record.size
            } else if DictionaryRecord.isTorn(at: at, in: raw) {
                findings.note(path, "a torn record at byte \(at), which was never acknowledged")
                return
            } else {
                at = pass(at, record, in: raw, bytes, path, &findings)
            }
        }
    }

    private static func text(_ at: Int, _ length: Int, _ bytes: [UInt8]) -> [UInt8] {
        let start = at + DictionaryRecord.headerBytes
        return Array(bytes[start..<start + length])
    }

    /// Goes past the broken record at byte `at`; returns where to go on.
    private mutating func pass(
        _ at: Int, _ record: DictionaryRecord?, in raw: RawSpan, _ bytes: [UInt8], _ path: String,
        _ findings: inout Findings
    ) -> Int {
        var fault = TopicVerification.Fault(
            .metadata, path, at: at, expected: "id \(texts.count + 1) and its text",
            found: "another text")
        defer { findings.faults.append(fault) }
        if let record, record.id <= texts.count + 1, at + record.size <= raw.byteCount {
            fault.found = record.id == texts.count + 1 ? "another text" : "id \(record.id) again"
            if record.id == texts.count + 1 { texts.append(nil) }
            return at + record.size
        }
        if let record, record.isIntact(at: at, in: raw) {
            fault.found = "id \(record.id)"
            return fill(upTo: record.id) ? at : at + record.size
        }
        let next = DictionaryRecord.next(behind: at, in: raw)
        let end = next ?? raw.byteCount
        if let length = Self.provenLength(at, end, id: texts.count + 1, in: raw) {
            fault.expected = "the header of a text of \(length) bytes"
            fault.found = "another"
            texts.append(Self.text(at, length, bytes))
        } else if let next, let following = DictionaryRecord(header: next, in: raw) {
            fault.found = "no header of a text"
            _ = fill(upTo: following.id)
        } else {
            fault.found = "a record whose length is not known; later ids are lost"
            texts.append(nil)
            isComplete = false
        }
        return end
    }

    /// The ids below `id` that have not come are lost; false for an absurd one, which says nothing.
    private mutating func fill(upTo id: Int) -> Bool {
        guard id > texts.count, id - texts.count < 1 << 20 else {
            isComplete = false
            return false
        }
        while texts.count < id - 1 { texts.append(nil) }
        return true
    }

    /// The length of the text between `at` and `end` when only the header is damaged, in one field.
    private static func provenLength(_ at: Int, _ end: Int, id: Int, in raw: RawSpan) -> Int? {
        let start = at + DictionaryRecord.headerBytes
        guard start < end, raw.load(at + 4) == CRC32C.checksum(raw.extracting(start..<end)) else {
            return nil
        }
        let lengths = max(end - start - 15, 1)...end - start
        let proven = lengths.first { length in
            let header = DictionaryRecord.header(
                length: length, checksum: raw.load(at + 4), id: id)
            return (12..<16).allSatisfy { raw.load(at + $0, as: UInt8.self) == header[$0] }
        }
        let stored = Int(raw.load(at, as: UInt32.self))
        return proven ?? (lengths.contains(stored) ? stored : nil)
    }

    /// The text that stands for a lost one in a salvaged topic.
    static func placeholder(_ id: Int) -> String { "lost in salvage: dictionary id \(id)" }

    /// A dictionary file with the intact texts under their ids, placeholders for the others up to
    /// `count`.
    func encoded(count: Int) -> [UInt8] {
        (1..<max(count, texts.count) + 1).flatMap { id in
            let known = id <= texts.count ? texts[id - 1] : nil
            return DictionaryRecord.encoded(known ?? Array(Self.placeholder(id).utf8), id: id)
        }
    }
}
