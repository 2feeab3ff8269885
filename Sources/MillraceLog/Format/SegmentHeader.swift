internal import MillraceSystem

/// The first 128 bytes of a segment file.
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 0 | u64 | magic `MLRSEGM1` |
/// | 8 | u32 | format version, 2 |
/// | 12 | u32 | CRC-32C of bytes 16 ..< 128 |
/// | 16 | u64 | topic id |
/// | 24 | u32 | partition |
/// | 28 | u32 | epoch |
/// | 32 | u64 | base offset: offset of the first row |
/// | 40 | u64 | base position: log position of the first batch |
/// | 48 | i64 | time of creation, ns since 1970 |
/// | 56 | - | zero |
struct SegmentHeader: Sendable, Equatable {
    var topicID: UInt64
    var partition: UInt32
    var epoch: UInt32
    var baseOffset: UInt64
    var basePosition: UInt64
    var createdAt: Int64

    static let magic: UInt64 = 0x314D_4745_5352_4C4D
    static let byteCount = 128

    func encoded() -> [UInt8] {
        var buffer = AlignedBuffer(byteCount: Self.byteCount)
        var bytes = buffer.mutableBytes
        bytes.store(Self.magic, at: 0)
        bytes.store(UInt32(2), at: 8)
        bytes.store(topicID, at: 16)
        bytes.store(partition, at: 24)
        bytes.store(epoch, at: 28)
        bytes.store(baseOffset, at: 32)
        bytes.store(basePosition, at: 40)
        bytes.store(createdAt, at: 48)
        let checksum = CRC32C.checksum(bytes.bytes.extracting(16..<Self.byteCount))
        bytes.store(checksum, at: 12)
        let view = bytes.bytes
        return (0..<Self.byteCount).map { view.load($0, as: UInt8.self) }
    }

    init(
        topicID: UInt64, partition: UInt32, epoch: UInt32, baseOffset: UInt64,
        basePosition: UInt64
    ) {
        self.topicID = topicID
        self.partition = partition
        self.epoch = epoch
        self.baseOffset = baseOffset
        self.basePosition = basePosition
        self.createdAt = Clock.wallNanoseconds()
    }

    /// Reads and checks a header of a segment of the given topic and partition.
    init(_ bytes: RawSpan, path: String, topicID: UInt64, partition: Int) throws(LogError) {
        func fault(_ byte: Int, _ expected: String, _ found: String) -> LogError {
            .corrupt(path, at: byte, expected: expected, found: found)
        }
        guard bytes.byteCount >= Self.byteCount else {
            throw fault(0, "a segment header of 128 bytes", "\(bytes.byteCount) bytes")
        }
        let magic: UInt64 = bytes.load(0)
        guard magic == Self.magic else { throw fault(0, "magic MLRSEGM1", hex(magic)) }
        let version: UInt32 = bytes.load(8)
        guard version == 2 else {
            throw LogError(
                .unsupportedFormat, "segment format \(version); this program reads format 2",
                path: path, position: 8)
        }
        let checksum: UInt32 = bytes.load(12)
        let computed = CRC32C.checksum(bytes.extracting(16..<Self.byteCount))
        guard checksum == computed else {
            throw fault(12, "header checksum \(hex(computed))", hex(checksum))
        }
        self.topicID = bytes.load(16)
        self.partition = bytes.load(24)
        epoch = bytes.load(28)
        baseOffset = bytes.load(32)
        basePosition = bytes.load(40)
        createdAt = bytes.load(48)
        guard self.topicID == topicID, Int(self.partition) == partition else {
            throw fault(
                16, "topic \(hex(topicID)), partition \(partition)",
                "topic \(hex(self.topicID)), partition \(self.partition)")
        }
        guard UInt64(epoch) <= PublishedWord.maxEpoch else {
            throw fault(28, "an epoch of at most \(PublishedWord.maxEpoch)", "\(epoch)")
        }
        guard baseOffset <= LogLimits.maxOffset else {
            throw fault(32, "a base offset of at most 2^55", "\(baseOffset)")
        }
        guard basePosition <= PublishedWord.maxPosition, basePosition % 64 == 0 else {
            throw fault(40, "a base position of at most 2^46, a multiple of 64", "\(basePosition)")
        }
    }
}
