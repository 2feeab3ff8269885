/// The value of the control page's `published`, `clean` and `allocated` words.
///
/// 16 bits of epoch above 40 bits of log position, counted in units of 64 bytes.
struct PublishedWord: Equatable, Sendable {
    /// Bumped when a writer takes over from one that died or hangs, and after a machine crash.
    let epoch: UInt64
    /// Log position up to which batches may be read.
    let position: UInt64

    /// Largest epoch.
    static let maxEpoch: UInt64 = (1 << 16) - 1
    /// Largest log position: 64 TiB of batches in the life of a partition.
    static let maxPosition: UInt64 = ((1 << 40) - 1) << 6

    init(epoch: UInt64, position: UInt64) {
        self.epoch = epoch
        self.position = position
    }

    /// Reads a checked word; nil when its check does not match.
    @inline(__always)
    init?(_ word: UInt64) {
        guard let value = CheckedWord.open(word) else { return nil }
        epoch = value >> 40
        position = (value & ((1 << 40) - 1)) << 6
    }

    /// The checked word.
    @inline(__always)
    var word: UInt64 { CheckedWord.seal(epoch << 40 | position >> 6) }
}
