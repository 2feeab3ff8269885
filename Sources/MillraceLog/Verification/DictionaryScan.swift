internal import MillraceSystem

/// A topic's dictionary, read past its faults.
///
/// The id of a text is its place: a damaged record counts where its length is proven, by its own
/// field or by the checksum of the bytes up to the next intact record.
struct DictionaryScan: Sendable {
    /// The text of each id, from 1; nil for a damaged one.
    private(set) var texts: [[UInt8]?] = []
    /// Whether all ids are known: false from a place on where records cannot be counted.
    private(set) var isComplete = true

    /// An empty dictionary.
    init() {}

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
        while at < raw.byteCount, isComplete {
            if let end = Self.endOfRecord(at: at, in: raw) {
                texts.append(Array(bytes[at + 8..<end]))
                at = end
            } else {
                at = pass(at, in: raw, bytes, path, &findings)
            }
        }
    }

    /// Goes past the broken record at byte `at`; returns where to go on.
    private mutating func pass(
        _ at: Int, in raw: RawSpan, _ bytes: [UInt8], _ path: String, _ findings: inout Findings
    ) -> Int {
        let next = (at + 1..<raw.byteCount).first { Self.endOfRecord(at: $0, in: raw) != nil }
        let end = next ?? raw.byteCount
        let length = at + 8 <= raw.byteCount ? Int(raw.load(at, as: UInt32.self)) : 0
        var fault = TopicVerification.Fault(
            .metadata, path, at: at, expected: "id \(texts.count + 1) and its checksum",
            found: "another text")
        if at + 8 < end,
            raw.load(at + 4, as: UInt32.self) == CRC32C.checksum(raw.extracting(at + 8..<end))
        {
            texts.append(Array(bytes[at + 8..<end]))
            fault.expected = "a length of \(end - at - 8)"
            fault.found = "\(length)"
        } else if next == nil, Self.isTorn(at: at, length: length, in: raw) {
            findings.note(path, "a torn record at byte \(at), which was never acknowledged")
            return end
        } else if at + 8 + length == end {
            texts.append(nil)
        } else {
            isComplete = false
            fault.found = "a record whose length is not known; later ids are lost"
        }
        findings.faults.append(fault)
        return end
    }

    /// Whether the broken record at the end was never acknowledged: it is short, or the machine
    /// went down and left zeros, which no text has.
    private static func isTorn(at start: Int, length: Int, in raw: RawSpan) -> Bool {
        start + 8 + length > raw.byteCount || start + 8 > raw.byteCount
            || (start + 8..<raw.byteCount).contains { raw.load($0, as: UInt8.self) == 0 }
            || (start..<min((start / 512 + 1) * 512, raw.byteCount)).allSatisfy {
                raw.load($0, as: UInt8.self) == 0
            }
    }

    private static func endOfRecord(at start: Int, in raw: RawSpan) -> Int? {
        guard start + 8 <= raw.byteCount else { return nil }
        let length = Int(raw.load(start, as: UInt32.self))
        let end = start + 8 + length
        guard (1...TopicDictionary.maxTextBytes).contains(length), end <= raw.byteCount,
            raw.load(start + 4, as: UInt32.self)
                == CRC32C.checksum(raw.extracting(start + 8..<end))
        else { return nil }
        return end
    }

    /// The text that stands for a lost one in a salvaged topic.
    static func placeholder(_ id: Int) -> String { "lost in salvage: dictionary id \(id)" }

    /// A dictionary file with the intact texts under their ids, placeholders for the others up to
    /// `count`.
    func encoded(count: Int) -> [UInt8] {
        var file: [UInt8] = []
        for id in 1..<max(count, texts.count) + 1 {
            let known = id <= texts.count ? texts[id - 1] : nil
            let text = known ?? Array(Self.placeholder(id).utf8)
            for word in [UInt32(text.count), CRC32C.checksum(of: text.span)] {
                for shift in stride(from: 0, to: 32, by: 8) {
                    file.append(UInt8(truncatingIfNeeded: word >> UInt32(shift)))
                }
            }
            file += text
        }
        return file
    }
}
