internal import MillraceSystem

/// The limits of the log; whoever goes beyond one gets a `LogError` that names it.
///
/// What is larger is refused before anything is written: `tooLarge` for sizes, `invalidArgument`
/// for names and configurations.
public enum LogLimits {
    /// Largest batch in bytes, decoded, all its sections together: 1 GiB.
    ///
    /// Lengths inside a batch are 32 bits wide, and so is the length of an LZ4 block.
    public static let maxBatchBytes = 1 << 30
    /// Most rows of a batch: 2^28.
    public static let maxRows = 1 << 28
    /// Largest value of a byte topic's row: 512 MiB.
    public static let maxValueBytes = 1 << 29
    /// Largest key of a row: 64 KiB.
    public static let maxKeyBytes = 1 << 16
    /// Most headers of a row.
    public static let maxHeaders = 1_024
    /// Longest name of a header, in bytes of UTF-8; it has at least one.
    public static let maxHeaderNameBytes = 1_024
    /// Largest headers of a row, names, values and 6 bytes each together: 1 MiB.
    public static let maxHeaderBytes = 1 << 20
    /// Most partitions of a topic.
    public static let maxPartitions = TopicConfiguration.maxPartitions
    /// Most features of a row.
    public static let maxFeatures = TopicConfiguration.maxFeatures
    /// Longest name of a topic, in bytes: letters, digits, dots, underscores and hyphens.
    public static let maxNameBytes = Names.maxLength
    /// Largest offset, of this log or of a source: sums with row counts stay far from overflow.
    public static let maxOffset: UInt64 = 1 << 55
    /// Most bytes of batches that a partition takes in its life, removed ones included: 64 TiB.
    public static let maxPosition: UInt64 = PublishedWord.maxPosition
    /// How often writers of a partition may die or hang while they append, or the machine go down.
    public static let maxEpochs = Int(PublishedWord.maxEpoch)
    /// Most writers that a partition may have open at a time.
    public static let maxWriters = OwnerSlot.limit
    /// Most readers that retention can wait for in a partition.
    public static let maxHoldingReaders = ReaderHold.slots
}
