internal import MillraceInput
package import MillraceLog

/// Turns rows of features into records.
///
/// **Thread-safety**: one owner.
package struct VectorWriter: ~Copyable {
    private let format: KafkaFormat
    private let hasLabels: Bool
    private var bytes: [UInt8] = []
    private var blocks: BlockPacker

    /// A writer of rows of a topic of features.
    ///
    /// - Parameters:
    ///   - format: `float32`, `json` or `block`.
    ///   - specification: The identifier of the feature specification that made the rows, for blocks;
    ///     0 for none.
    ///   - maxRecordBytes: What a block may have at most.
    package init(
        _ format: KafkaFormat, of configuration: TopicConfiguration, specification: UInt32 = 0,
        maxRecordBytes: Int
    ) {
        precondition(
            configuration.kind == .features && format != .bytes, "a topic of features")
        self.format = format
        hasLabels = configuration.label
        blocks = BlockPacker(
            configuration, specification: specification, maxRecordBytes: maxRecordBytes)
    }

    /// Gives the row's record to `take`; a row of a block waits until that is full, or for `finish`.
    ///
    /// - Parameter label: NaN for none; passed over where the topic has no labels.
    package mutating func write(
        _ row: Span<Float>, label: Float, key: Span<UInt8>?, _ context: RowContext,
        _ take: RecordTaker
    ) throws(KafkaError) {
        let label = hasLabels ? label : nil
        guard format != .block else {
            return try blocks.add(row: row, label: label, key: key, context, take)
        }
        bytes.removeAll(keepingCapacity: true)
        format == .json ? writeObject(row, label) : writeNumbers(row, label)
        try take(bytes.span, key, context.milliseconds, context.headers)
    }

    /// Gives what is left over to `take`.
    package mutating func finish(_ take: RecordTaker) throws(KafkaError) {
        try blocks.finish(take)
    }

    /// Forgets what is left over.
    package mutating func reset() { blocks.reset() }

    private mutating func writeNumbers(_ row: Span<Float>, _ label: Float?) {
        FloatBytes.append(row, to: &bytes)
        if let label { LittleEndianBytes.append(label.bitPattern, to: &bytes) }
    }

    private mutating func writeObject(_ row: Span<Float>, _ label: Float?) {
        bytes.append(contentsOf: "{\"features\":[".utf8)
        append(row)
        bytes.append(UInt8(ascii: "]"))
        if let label, !label.isNaN {
            bytes.append(contentsOf: ",\"label\":".utf8)
            append([label].span)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    private mutating func append(_ numbers: Span<Float>) {
        let start = bytes.count
        bytes.append(
            contentsOf: repeatElement(0, count: ShortestFloat.room(for: numbers.count)))
        var target = bytes.mutableSpan
        let end = ShortestFloat.write(numbers, into: &target, at: start, special: .json)
        bytes.removeLast(bytes.count - end)
    }
}
