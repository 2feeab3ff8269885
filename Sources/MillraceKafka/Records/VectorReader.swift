internal import MillraceInput
internal import MillraceLog

/// Decodes records that are vectors of features straight into an arena.
///
/// A record that is none leaves the arena as it was. **Thread-safety**: one owner.
package struct VectorReader: ~Copyable {
    /// What is made of labels.
    package enum Labels: Sendable {
        /// Records have none.
        case none
        /// Records have them, and nobody reads them.
        case passedOver
        /// They are put beside the rows; NaN where a record has none.
        case kept
    }

    private let format: KafkaRowFormat
    private let columns: Int
    private let labels: Labels
    private let specification: UInt32
    private var row: [Float]
    private var blocks: BlockReader

    /// For vectors of `columns` numbers.
    ///
    /// - Parameter specification: The identifier of the feature specification that is to have made
    ///   the rows of blocks; 0 for any. Blocks that do not name theirs are taken.
    package init(
        _ format: KafkaRowFormat, columns: Int, labels: Labels = .none,
        specification: UInt32 = 0
    ) {
        self.format = format
        self.columns = columns
        self.labels = labels
        self.specification = specification
        row = [Float](repeating: 0, count: columns)
        blocks = BlockReader(TopicConfiguration(kind: .features, features: columns))
    }

    /// Adds the row, or the rows of a block; returns how many.
    package mutating func add(
        _ value: Span<UInt8>, to arena: inout FeatureArena
    ) throws(RecordFault) -> Int {
        switch format {
        case .block:
            return try blocks.add(
                value, to: &arena, withLabels: labels == .kept, specification: specification)
        case .json: try addObject(value, to: &arena)
        case .float32, .csv: try addNumbers(value, to: &arena)
        }
        arena.commitRow()
        return 1
    }

    private mutating func addNumbers(
        _ value: Span<UInt8>, to arena: inout FeatureArena
    ) throws(RecordFault) {
        let count = columns + (labels == .none ? 0 : 1)
        guard value.count == 4 * count else {
            throw RecordFault(
                .undecodable,
                "expected \(count) float32, \(4 * count) bytes, found \(value.count) bytes")
        }
        do {
            var target = arena.nextRow()
            FloatBytes.copy(value.extracting(0..<4 * columns), into: &target)
        }
        if labels == .kept {
            arena.labels.append(
                Float(bitPattern: LittleEndianBytes.word(value, 4 * columns)))
        }
    }

    private mutating func addObject(
        _ text: Span<UInt8>, to arena: inout FeatureArena
    ) throws(RecordFault) {
        let label: Float
        do throws(JSONFault) {
            label = try VectorObject.read(text, into: &row, hasLabel: labels == .kept)
        } catch {
            throw RecordFault(error)
        }
        do {
            var target = arena.nextRow()
            for index in row.indices { target[index] = row[index] }
        }
        if labels == .kept { arena.labels.append(label) }
    }
}

extension BlockReader {
    /// Adds all rows of a block of features, or none; returns how many.
    mutating func add(
        _ bytes: Span<UInt8>, to arena: inout FeatureArena, withLabels: Bool,
        specification: UInt32
    ) throws(RecordFault) -> Int {
        try read(bytes) { (batch) throws(RecordFault) in
            guard batch.rows > 0 else { return 0 }
            guard
                specification == 0 || batch.specification == 0
                    || batch.specification == specification
            else {
                throw RecordFault(
                    .undecodable,
                    "expected features of specification \(specification), found a block of "
                        + "specification \(batch.specification)")
            }
            do {
                var target = arena.addRows(batch.rows)
                batch.widen(rows: 0..<batch.rows, into: &target)
            }
            guard withLabels else { return batch.rows }
            let given = batch.labels
            for row in 0..<batch.rows { arena.labels.append(batch.hasLabels ? given[row] : .nan) }
            return batch.rows
        }
    }
}
