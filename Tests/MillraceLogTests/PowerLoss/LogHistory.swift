import MillraceSystem

@testable import MillraceLog

/// A partition of one of the two topics of a workload.
enum LogPlace: Hashable, Sendable, CustomStringConvertible {
    case rows(Int)
    /// The topic whose batches were made from rows of the other.
    case outputs

    var topic: String { if case .rows = self { "rows" } else { "outputs" } }
    var partition: Int { if case .rows(let partition) = self { partition } else { 0 } }
    var description: String { "\(topic)/\(partition)" }
}

/// One batch that was appended, and the moments at which promises about it were made.
struct AppendedBatch: Sendable {
    let content: BatchContent
    /// 0 for none.
    var producer = 0
    var sequence: UInt64 = 0
    var timestamp: Int64 = 0
    var origin: SourceRange?
    var baseOffset: UInt64 = 0
    /// Moment before the append.
    var begun: Int
    /// Moment at which it returned.
    var appended = Int.max
    /// Moment at which it was known to be on the disk.
    var durable = Int.max

    var endOffset: UInt64 { baseOffset + UInt64(content.rows) }
}

/// Rows of `rows/partition` from which an output batch was made.
struct SourceRange: Sendable, Equatable {
    let partition: Int
    let begin: UInt64
    let end: UInt64
}

/// The rows of a batch, which follow from a seed.
struct BatchContent: Sendable {
    let rows: Int
    /// CRC-32C of all rows' bytes.
    let checksum: UInt32
    private let rowWords: Int
    private let words: [UInt64]

    init(seed: UInt64, rows: Int, rowWords: Int) {
        var random = SplitMix64(seed: seed)
        var words: [UInt64] = []
        for _ in 0..<rows {
            // One half does not compress, the other does.
            for _ in 0..<rowWords / 2 { words.append(random.next()) }
            words += [UInt64](repeating: random.next(), count: rowWords - rowWords / 2)
        }
        self.rows = rows
        self.rowWords = rowWords
        self.words = words
        // SAFETY: words have no padding.
        checksum = CRC32C.checksum(unsafe words.span.bytes)
    }

    func fill(_ builder: inout BatchBuilder) {
        // SAFETY: the bytes are used only inside the closure; words have no padding.
        unsafe words.withUnsafeBytes { bytes in
            for row in 0..<rows {
                let start = row * rowWords * 8
                unsafe builder.append(value: bytes[start..<start + rowWords * 8])
            }
        }
    }
}

/// What happened to one partition.
struct PartitionHistory: Sendable {
    /// In the order of the log.
    var batches: [AppendedBatch] = []
    /// Offset of the first row that retention may have left, by the moment from which on it may.
    var starts: [(begun: Int, offset: UInt64)] = []
    /// No offset below this is given away any more.
    var floor: UInt64 = 0

    /// Batches below `offset` are on the disk now.
    mutating func makeDurable(below offset: UInt64, at moment: Int) {
        for index in batches.indices where batches[index].endOffset <= offset {
            batches[index].durable = min(batches[index].durable, moment)
        }
    }

    /// The last sequence of a producer among the first `count` batches.
    func lastSequence(of producer: Int, in count: Int) -> UInt64? {
        batches[..<count].last { $0.producer == producer }?.sequence
    }

    /// Offset below which retention may have removed everything at `moment`.
    func start(at moment: Int) -> UInt64 {
        starts.filter { $0.begun < moment }.map(\.offset).max() ?? 0
    }
}

/// What happened to a data directory.
struct LogHistory: Sendable {
    var partitions: [LogPlace: PartitionHistory] = [:]
    /// Texts of the dictionary of `rows`, with the moments from which on they are durable.
    var texts: [(id: UInt32, text: String, durable: Int)] = []
    /// The moment at which both topics were there.
    var created = Int.max

    subscript(_ place: LogPlace) -> PartitionHistory {
        get { partitions[place] ?? PartitionHistory() }
        set { partitions[place] = newValue }
    }
}
