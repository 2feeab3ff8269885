/// The value of the control page's `published`, `clean` and `allocated` words.
///
/// 16 bits of epoch above 40 bits of log position, counted in units of 64 bytes.
struct PublishedWord: Equatable, Sendable {
    /// The checked word.
    let word: UInt64

    /// Bumped when a writer takes over from one that died or hangs, and after a machine crash.
    var epoch: UInt64 { (word & CheckedWord.maxValue) >> 40 }
    /// Log position up to which batches may be read.
    var position: UInt64 { (word & ((1 << 40) - 1)) << 6 }

    /// Largest epoch.
    static let maxEpoch: UInt64 = (1 << 16) - 1
    /// Largest log position: 64 TiB of batches in the life of a partition.
    static let maxPosition: UInt64 = ((1 << 40) - 1) << 6

    @inline(__always)
    init(epoch: UInt64, position: UInt64) {
        word = CheckedWord.seal(epoch << 40 | position >> 6)
    }

    /// Reads a checked word; nil when its check does not match.
    @inline(__always)
    init?(_ word: UInt64) {
        guard CheckedWord.open(word) != nil else { return nil }
        self.word = word
    }
}
