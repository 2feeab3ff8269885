/// Finds a text's place in a frozen list by open addressing over the texts' bytes.
struct Vocabulary: Sendable {
    private let texts: TextTable
    /// A power of two of slots, at most half of them taken: a text's position, or -1.
    private(set) var slots: [Int32]

    init(_ texts: [String]) {
        self.texts = TextTable(texts)
        var size = 4
        while size < 2 * texts.count { size *= 2 }
        slots = [Int32](repeating: -1, count: size)
        for (index, text) in texts.enumerated() {
            var slot = Self.slot(of: Array(text.utf8).span, mask: size - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (size - 1) }
            slots[slot] = Int32(index)
        }
    }

    /// The position of `text`; nil where it is not in the list.
    ///
    /// - Complexity: O(text), expected.
    func index(of text: Span<UInt8>) -> Int? {
        let mask = slots.count - 1
        var slot = Self.slot(of: text, mask: mask)
        while true {
            let index = Int(slots[slot])
            if index < 0 { return nil }
            if texts.matches(text, at: index) { return index }
            slot = (slot + 1) & mask
        }
    }

    private static func slot(of text: Span<UInt8>, mask: Int) -> Int {
        Int(truncatingIfNeeded: StableHash.hash(text)) & mask
    }
}
