/// Rendezvous hashing: the owner of a partition is the member with the highest score for it.
///
/// A member's score for a partition depends on these two alone, so taking a member away changes
/// nothing between the others.
///
/// - Source: Thaler and Ravishankar, *Using name-based mappings to increase hit rates*, IEEE/ACM
///   Transactions on Networking 6(1), 1998.
public enum Rendezvous {
    /// The score of `member` for `partition`: the same in every process, version and byte order.
    ///
    /// FNV-1a (64 bits) over the member's UTF-8 bytes, a zero byte, the topic's UTF-8 bytes, a zero
    /// byte and the partition number as eight little-endian bytes, then MurmurHash3's finaliser,
    /// since the high bits of FNV-1a alone depend too little on the last bytes.
    ///
    /// - Source: draft-eastlake-fnv (offset basis and prime); MurmurHash3 `fmix64`.
    public static func score(_ member: MemberID, _ partition: TopicPartition) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func absorb(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for byte in member.name.utf8 { absorb(byte) }
        absorb(0)
        for byte in partition.topic.utf8 { absorb(byte) }
        absorb(0)
        let number = UInt64(truncatingIfNeeded: partition.partition)
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            absorb(UInt8(truncatingIfNeeded: number >> shift))
        }
        hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ (hash >> 33)
    }

    /// The member with the highest score, the first by name where scores are equal; nil for nobody.
    ///
    /// - Complexity: O(m) for m members.
    public static func owner(
        of partition: TopicPartition, among members: [MemberID]
    ) -> MemberID? {
        var best: (score: UInt64, member: MemberID)?
        for member in members {
            let score = score(member, partition)
            if let best, (best.score, member) > (score, best.member) { continue }
            best = (score, member)
        }
        return best?.member
    }
}
