/// A hash of text that is the same in every process and version: FNV-1a over 64 bits, then
/// MurmurHash3's finaliser, so that every bit of the result depends on every byte.
///
/// - Source: Fowler, Noll and Vo, FNV-1a (offset basis 0xCBF29CE484222325, prime 0x100000001B3);
///   Appleby, MurmurHash3, `fmix64`.
enum StableHash {
    static func hash(_ text: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in text.indices {
            hash = (hash ^ UInt64(text[index])) &* 0x100_0000_01B3
        }
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ (hash >> 33)
    }
}
