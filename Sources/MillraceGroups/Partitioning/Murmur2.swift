/// MurmurHash2 as Apache Kafka's Java client computes it, so that keys land where Kafka puts them.
///
/// librdkafka's default partitioner (`consistent_random`, CRC32) puts them elsewhere; its
/// `murmur2_random` agrees with this one.
///
/// - Source: Apache Kafka, `org.apache.kafka.common.utils.Utils.murmur2`.
public enum Murmur2 {
    private static let seed: UInt32 = 0x9747_b28c
    private static let multiplier: UInt32 = 0x5bd1_e995

    /// The hash of `bytes`.
    ///
    /// - Complexity: O(n) for n bytes; does not allocate.
    public static func hash(_ bytes: Span<UInt8>) -> Int32 {
        var hash = seed ^ UInt32(truncatingIfNeeded: bytes.count)
        let wholeWords = bytes.count & ~3
        var index = 0
        while index < wholeWords {
            var word =
                UInt32(bytes[index]) | UInt32(bytes[index + 1]) << 8
                | UInt32(bytes[index + 2]) << 16 | UInt32(bytes[index + 3]) << 24
            word &*= multiplier
            word ^= word >> 24
            word &*= multiplier
            hash = (hash &* multiplier) ^ word
            index += 4
        }
        if index < bytes.count {
            var tail: UInt32 = 0
            for offset in index..<bytes.count {
                tail |= UInt32(bytes[offset]) << UInt32(8 * (offset - index))
            }
            hash = (hash ^ tail) &* multiplier
        }
        hash ^= hash >> 13
        hash &*= multiplier
        hash ^= hash >> 15
        return Int32(bitPattern: hash)
    }

    /// The partition of a key among `count` partitions: the hash without its sign, modulo `count`.
    ///
    /// - Source: Apache Kafka, `BuiltInPartitioner.partitionForKey`.
    public static func partition(forKey key: Span<UInt8>, count: Int) -> Int {
        Int(hash(key) & Int32.max) % count
    }
}
