/// A hash of text that is the same in every process and version: FNV-1a over 64 bits, then
/// MurmurHash3's finaliser, so that every bit of the result depends on every byte.
///
/// - Source: Fowler, Noll and Vo, FNV-1a (offset basis 0xCBF29CE484222325, prime 0x100000001B3);
///   Appleby, MurmurHash3, `fmix64`.
struct StableHash {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    static func hash(_ text: Span<UInt8>) -> UInt64 {
        var hash = StableHash()
        hash.add(text)
        return hash.value
    }

    mutating func add(_ text: Span<UInt8>) {
        for index in text.indices { add(text[index]) }
    }

    /// Marks where one text ends and the next begins, by a byte that UTF-8 does not have.
    mutating func addSeparator() { add(0xFF) }

    private mutating func add(_ byte: UInt8) {
        state = (state ^ UInt64(byte)) &* 0x100_0000_01B3
    }

    /// The hash of what has been added.
    var value: UInt64 {
        var hash = state
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ (hash >> 33)
    }
}
