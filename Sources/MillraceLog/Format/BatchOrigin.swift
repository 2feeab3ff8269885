/// Where a batch's rows came from: with it, a stage's output and its progress are one append.
///
/// The source rows in `begin ..< end` have their outcome in this batch (an output row or a recorded
/// drop) or were sent to another topic; the newest batch of a source tells where to go on.
/// For a source that is a file, `begin` and `end` are byte positions in its decoded text.
///
/// Layout, bytes 128 ..< 256 of the batch header, little-endian:
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 128 | u32 | group (dictionary id) |
/// | 132 | u32 | source topic or file (dictionary id) |
/// | 136 | u32 | source partition |
/// | 140 | u32 | generation of the group |
/// | 144 | u64 | begin |
/// | 152 | u64 | end |
/// | 160 | u32 | epoch of the source batch |
/// | 164 | u32 | model (dictionary id, 0 none) |
/// | 168 | u64 | model version (0 none) |
/// | 176 | u32 | kernel set (dictionary id, 0 none) |
/// | 180 | u32 | file sources: CRC-32C of the text before `end` |
/// | 184 | u64 | file sources: number of the line at `begin`, from 1 |
/// | 192 | u64 | file sources: number of the line at `end` |
/// | 200 | - | zero |
public struct BatchOrigin: Sendable, Equatable {
    /// Dictionary id of the consumer group or producer that wrote the batch.
    public var group: UInt32 = 0
    /// Dictionary id of the source topic or file.
    public var source: UInt32 = 0
    /// Partition of the source; 0 for files.
    public var sourcePartition: UInt32 = 0
    /// Generation of the group when it wrote the batch.
    public var generation: UInt32 = 0
    /// First source offset (or byte) whose outcome is in this batch.
    public var begin: UInt64 = 0
    /// The source offset (or byte) to go on from.
    public var end: UInt64 = 0
    /// Epoch of the source partition that the rows were read under.
    public var sourceEpoch: UInt32 = 0
    /// Dictionary id of the model that made the rows; 0 for none.
    public var model: UInt32 = 0
    /// Version of that model; 0 for none.
    public var modelVersion: UInt64 = 0
    /// Dictionary id of the kernel set that computed the rows; 0 for none.
    public var kernelSet: UInt32 = 0
    /// File sources: CRC-32C of the decoded text before `end`.
    public var textChecksum: UInt32 = 0
    /// File sources: number of the line that starts at `begin`, counted from 1.
    public var beginLine: UInt64 = 0
    /// File sources: number of the line that starts at `end`.
    public var endLine: UInt64 = 0

    /// An origin with every field zero.
    public init() {}

    static let byteCount = 128

    init(_ bytes: RawSpan) {
        group = bytes.load(128)
        source = bytes.load(132)
        sourcePartition = bytes.load(136)
        generation = bytes.load(140)
        begin = bytes.load(144)
        end = bytes.load(152)
        sourceEpoch = bytes.load(160)
        model = bytes.load(164)
        modelVersion = bytes.load(168)
        kernelSet = bytes.load(176)
        textChecksum = bytes.load(180)
        beginLine = bytes.load(184)
        endLine = bytes.load(192)
    }

    func encode(into bytes: inout MutableRawSpan) {
        bytes.store(group, at: 128)
        bytes.store(source, at: 132)
        bytes.store(sourcePartition, at: 136)
        bytes.store(generation, at: 140)
        bytes.store(begin, at: 144)
        bytes.store(end, at: 152)
        bytes.store(sourceEpoch, at: 160)
        bytes.store(model, at: 164)
        bytes.store(modelVersion, at: 168)
        bytes.store(kernelSet, at: 176)
        bytes.store(textChecksum, at: 180)
        bytes.store(beginLine, at: 184)
        bytes.store(endLine, at: 192)
        for offset in stride(from: 200, to: 256, by: 8) { bytes.store(UInt64(0), at: offset) }
    }
}
