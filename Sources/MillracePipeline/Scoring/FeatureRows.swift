internal import MillraceCompute
internal import MillraceKafka
internal import MillraceLog
internal import MillraceServing

/// A batch of features as a score stage takes it, whichever log it came from.
///
/// It lives as long as the turn in which the input hands it over.
struct FeatureRows: ~Escapable {
    /// The rows, as they are stored or as they were decoded.
    let matrix: FeatureMatrix
    /// How many features a row has.
    let columns: Int
    /// The source offsets whose outcome is that of these rows, and of records that are none.
    let begin: UInt64
    /// The source offset to go on from.
    let end: UInt64
    /// The epoch of the source's writer; 0 where there is none.
    let epoch: UInt32
    /// Id in the source's dictionary of the specification that encoded the rows; 0 for none.
    let specification: UInt32
    /// What rows from Kafka have beside their features; nil where row `i` is source row `begin + i`.
    let records: SourceRecords?
    /// The rows, in order, that could not be read: their features are NaN.
    let unreadable: [Int]

    var rows: Int { matrix.rows }

    @_lifetime(copy matrix)
    init(
        _ matrix: FeatureMatrix, columns: Int, _ range: Range<UInt64>, epoch: UInt32 = 0,
        specification: UInt32 = 0, records: SourceRecords? = nil, unreadable: [Int] = []
    ) {
        self.matrix = matrix
        self.columns = columns
        begin = range.lowerBound
        end = range.upperBound
        self.epoch = epoch
        self.specification = specification
        self.records = records
        self.unreadable = unreadable
    }
}

/// A row without a prediction.
struct NullRow {
    /// Its place among the rows.
    let row: Int
    /// Why it has none, as predictions are marked.
    let mark: UInt8
}

/// What a score stage reads: one partition of some log, from a position on.
///
/// The position is the input's: what was handed over without an error is not handed over again.
protocol FeatureInput: AnyObject {
    /// The topic's name, for errors.
    var name: String { get }

    /// Whether nothing was left to read at the last look.
    var isAtEnd: Bool { get }

    /// Rows that are there and were not handed over; 0 where the topic itself tells.
    var lag: Int { get }

    /// Hands the next batch over; false when there is none at the moment.
    func next(_ body: (FeatureRows) throws -> Void) throws -> Bool

    /// The specification that an id in the topic's dictionary means; nil for none.
    func specification(_ id: UInt32) throws -> FrozenSpecification?

    /// Lets go of the partition.
    func close()
}

/// What a score stage writes: predictions, and with them how far the stage is.
protocol PredictionOutput: AnyObject {
    /// Lets `predict` fill the predictions of the rows, `[rows, outputs]`, and writes them together
    /// with the source offsets that they cover.
    ///
    /// `predict` returns the rows, in order, that have none.
    ///
    /// - Returns: how many rows have no prediction.
    func append(
        _ rows: FeatureRows, by version: ServingVersion,
        _ predict: (_ outputs: inout MutableSpan<Float>) -> [NullRow]
    ) throws -> Int

    /// Makes what was written durable and lets go of the partition.
    func close() throws
}

/// What rows that were records of Kafka have beside their features.
///
/// **Thread-safety**: one owner.
final class SourceRecords {
    /// The offset of each row's record.
    private(set) var offsets: [UInt64] = []
    /// The time of each row's record, milliseconds since 1970.
    private(set) var milliseconds: [Int64] = []
    /// The records that are no rows.
    private(set) var bad: [RefusedRecord] = []
    private var keys: [UInt8] = []
    /// For each row where its key ends, and whether it has one.
    private var keyEnds: [(end: Int, isThere: Bool)] = []

    var isEmpty: Bool { offsets.isEmpty && bad.isEmpty }

    func reset() {
        offsets.removeAll(keepingCapacity: true)
        milliseconds.removeAll(keepingCapacity: true)
        bad.removeAll(keepingCapacity: true)
        keys.removeAll(keepingCapacity: true)
        keyEnds.removeAll(keepingCapacity: true)
    }

    /// Adds what the record of the next `rows` rows has.
    func add(rows: Int, offset: UInt64, key: Span<UInt8>?, milliseconds time: Int64) {
        if let key {
            keys.append(addingCapacity: key.count) { added in
                for index in key.indices { added.append(key[index]) }
            }
        }
        for row in 0..<rows {
            offsets.append(offset)
            milliseconds.append(time)
            // Rows of one record have its key, which is kept once.
            keyEnds.append((keys.count, key != nil && row == 0))
        }
    }

    func add(_ record: RefusedRecord) { bad.append(record) }

    /// Gives the key of a row to `body`; nil where it has none.
    func withKey<R>(
        _ row: Int, _ body: (Span<UInt8>?) throws(KafkaError) -> R
    ) throws(KafkaError) -> R {
        guard keyEnds[row].isThere else { return try body(nil) }
        let begin = row == 0 ? 0 : keyEnds[row - 1].end
        let keys = keys
        return try body(keys.span.extracting(begin..<keyEnds[row].end))
    }
}
