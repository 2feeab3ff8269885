internal import Millrace
internal import MillraceInput
internal import MillracePipeline

/// How `consume` prints rows.
enum ConsumeFormat: String, CaseIterable {
    case jsonl, csv, raw
}

/// Prints rows of one topic.
///
/// **Thread-safety**: one owner.
struct RowPrinter: ~Copyable {
    private let topic: Topic
    private let kind: TopicConfiguration.Kind
    private let format: ConsumeFormat
    private var output: TextOutput
    /// Features of a few rows whose elements are narrow.
    private var widened: [Float] = []
    /// What a line begins with, up to the offset.
    private var head: [UInt8] = []
    /// What stands behind the offset: the time of a batch's rows, and their source.
    private var time: [UInt8] = []
    private var source = BatchSource()
    private var hasHeader = false
    /// Whether a topic of bytes has lines of CSV, and so says what the columns are called.
    private let columns: [String]?

    /// Rows between two looks at how much waits.
    private static let chunkRows = 64

    init(_ topic: Topic, format: ConsumeFormat) throws(LogError) {
        self.topic = topic
        self.format = format
        kind = topic.configuration.kind
        output = TextOutput(1)
        columns = kind == .bytes && format == .csv ? try topic.csvColumns() : nil
    }

    /// Prints rows of a batch; what is left over is written by `flush`.
    ///
    /// - Returns: False when whoever read has gone.
    mutating func print(
        _ batch: borrowing RecordBatch, rows: Range<Int>, partition: Int
    ) throws -> Bool {
        guard !rows.isEmpty else { return true }
        try begin(batch, partition)
        var at = rows.lowerBound
        while at < rows.upperBound {
            let end = min(at + Self.chunkRows, rows.upperBound)
            if kind == .bytes {
                for row in at..<end { printValue(batch, row, partition) }
            } else {
                printNumbers(batch, at..<end, partition)
            }
            if output.isFull, try !output.flush() { return false }
            at = end
        }
        return true
    }

    /// Writes what waits; false when whoever read has gone.
    mutating func flush() throws(PipelineError) -> Bool { try output.flush() }

    /// Says what the columns are called, also where there are no rows.
    mutating func printHeader(outputs: Int = 0) {
        guard format == .csv, !hasHeader else { return }
        hasHeader = true
        func numbered(_ name: String, _ count: Int) -> [String] {
            (0..<count).map { "\(name)\($0)" }
        }
        let names: String
        switch kind {
        case .bytes:
            names =
                columns.map { $0.map(Self.field).joined(separator: ",") }
                ?? "partition,offset,timestamp,key,value"
        case .features:
            let label = topic.configuration.label ? ["label"] : []
            names = (numbered("f", topic.configuration.features) + label).joined(separator: ",")
        case .predictions:
            names =
                (["partition", "offset", "timestamp", "source_topic", "source_partition"]
                + ["source_offset", "model", "null"] + numbered("output", outputs))
                .joined(separator: ",")
        }
        output.append(Array((names + "\n").utf8))
    }

    /// A name as CSV has it.
    private static func field(_ name: String) -> String {
        guard name.utf8.contains(where: { $0 == 0x22 || $0 == 0x2C || $0 == 0x0D }) else {
            return name
        }
        let parts = name.split(separator: "\"", omittingEmptySubsequences: false)
        return "\"\(parts.joined(separator: "\"\""))\""
    }

    private mutating func begin(_ batch: borrowing RecordBatch, _ partition: Int) throws {
        printHeader(outputs: batch.columns)
        switch format {
        case .raw: return
        case .csv: head = Array("\(partition),".utf8)
        case .jsonl: head = Array("{\"partition\":\(partition),\"offset\":".utf8)
        }
        if kind == .predictions { try source.update(batch.origin, in: topic, format) }
        if !batch.hasTimestamps { time = timeText(batch.firstTimestamp) }
    }

    private func timeText(_ nanoseconds: Int64) -> [UInt8] {
        Array(format == .csv ? ",\(nanoseconds)".utf8 : ",\"timestamp\":\(nanoseconds)".utf8)
    }

    // MARK: Rows

    /// Where the row is and when it came.
    private mutating func printPlace(_ batch: borrowing RecordBatch, _ row: Int) {
        output.append(head)
        output.append(decimal: batch.baseOffset + UInt64(row))
        output.append(batch.hasTimestamps ? timeText(batch.timestamp(row)) : time)
    }

    private mutating func printKey(_ batch: borrowing RecordBatch, _ row: Int) {
        guard batch.hasKeys, let key = batch.key(row) else { return }
        output.append(",\"key\":")
        output.append(quoted: key)
    }

    private mutating func printValue(
        _ batch: borrowing RecordBatch, _ row: Int, _ partition: Int
    ) {
        let value = batch.value(row)
        switch format {
        case .jsonl:
            printPlace(batch, row)
            printKey(batch, row)
            output.append(",\"value\":")
            output.append(quoted: value)
            output.append("}\n")
        case .csv where columns == nil:
            printPlace(batch, row)
            output.append(byte: UInt8(ascii: ","))
            if batch.hasKeys, let key = batch.key(row) { appendField(key) }
            output.append(byte: UInt8(ascii: ","))
            appendField(value)
            output.append("\n")
        case .csv, .raw:
            output.append(value)
            output.append("\n")
        }
    }

    /// Appends a field of CSV, in quotes where it needs them.
    private mutating func appendField(_ text: Span<UInt8>) {
        var needsQuotes = false
        for index in text.indices {
            let byte = text[index]
            if byte == 0x22 || byte == 0x2C || byte == 0x0A || byte == 0x0D { needsQuotes = true }
        }
        guard needsQuotes else { return output.append(text) }
        output.append("\"")
        for index in text.indices {
            if text[index] == 0x22 { output.append("\"") }
            output.append(byte: text[index])
        }
        output.append("\"")
    }

    private mutating func printNumbers(
        _ batch: borrowing RecordBatch, _ rows: Range<Int>, _ partition: Int
    ) {
        var memory: [Float] = []
        swap(&memory, &widened)
        let columns = batch.columns
        batch.withFeatures(rows: rows, growing: &memory) { features, stride in
            for index in 0..<rows.count {
                let start = index * stride
                printNumbers(
                    batch, rows.lowerBound + index, features.extracting(start..<start + columns))
            }
        }
        swap(&memory, &widened)
    }

    private mutating func printNumbers(
        _ batch: borrowing RecordBatch, _ row: Int, _ numbers: Span<Float>
    ) {
        switch format {
        case .jsonl:
            printPlace(batch, row)
            printKey(batch, row)
            kind == .features
                ? printFeatures(batch, row, numbers) : printOutputs(batch, row, numbers)
            output.append("}\n")
        case .csv:
            if kind == .predictions { printSource(batch, row) }
            output.append(numbers, special: .csv)
            if topic.configuration.label {
                output.append(",")
                let label: [Float] = [batch.hasLabels ? batch.labels[row] : .nan]
                output.append(label.span, special: .csv)
            }
            output.append("\n")
        case .raw:
            output.append(raw: numbers)
            if topic.configuration.label {
                let label: [Float] = [batch.hasLabels ? batch.labels[row] : .nan]
                output.append(raw: label.span)
            }
        }
    }

    private mutating func printFeatures(
        _ batch: borrowing RecordBatch, _ row: Int, _ numbers: Span<Float>
    ) {
        output.append(",\"features\":[")
        output.append(numbers, special: .json)
        output.append("]")
        guard batch.hasLabels, !batch.labels[row].isNaN else { return }
        output.append(",\"label\":")
        output.append(batch.labels.extracting(row..<row + 1), special: .json)
    }

    private mutating func printOutputs(
        _ batch: borrowing RecordBatch, _ row: Int, _ numbers: Span<Float>
    ) {
        let mark = batch.mark(row)
        if mark == 0 {
            output.append(",\"outputs\":[")
            output.append(numbers, special: .json)
            output.append("]")
        } else {
            output.append(",\"null\":")
            output.append(decimal: UInt64(mark))
        }
        output.append(source.before)
        guard source.isKnown else { return }
        output.append(decimal: batch.sourceOffset(row))
        output.append("}")
    }

    private mutating func printSource(_ batch: borrowing RecordBatch, _ row: Int) {
        printPlace(batch, row)
        output.append(source.before)
        if source.isKnown { output.append(decimal: batch.sourceOffset(row)) }
        output.append(source.behind)
        let mark = batch.mark(row)
        if mark != 0 { output.append(decimal: UInt64(mark)) }
        output.append(",")
    }
}

/// What a batch of predictions says of where its rows came from, as it is printed.
private struct BatchSource {
    private var origin: BatchOrigin?
    /// What stands before the offset in the source.
    private(set) var before: [UInt8] = []
    /// What stands behind it.
    private(set) var behind: [UInt8] = []
    /// Whether there is a topic that the offset is of.
    private(set) var isKnown = false

    mutating func update(
        _ next: BatchOrigin?, in topic: Topic, _ format: ConsumeFormat
    ) throws(LogError) {
        let isSame =
            next?.source == origin?.source && next?.model == origin?.model
            && next?.modelVersion == origin?.modelVersion
            && next?.sourcePartition == origin?.sourcePartition
        guard !isSame || before.isEmpty else { return }
        origin = next
        let name = try Self.text(next?.source, "topic:", in: topic).map {
            String($0.prefix { $0 != "#" })
        }
        let model = try Self.text(next?.model, "model:", in: topic).map {
            "\($0)@\(next?.modelVersion ?? 0)"
        }
        isKnown = name != nil
        let partition = next?.sourcePartition ?? 0
        if format == .csv {
            before = Array(",\(name ?? ""),\(name == nil ? "" : "\(partition)"),".utf8)
            behind = Array(",\(model ?? ""),".utf8)
        } else {
            // Names of topics and models need no escapes.
            let made = model.map { ",\"model\":\"\($0)\"" } ?? ""
            let from = name.map {
                ",\"source\":{\"topic\":\"\($0)\",\"partition\":\(partition),\"offset\":"
            }
            before = Array((made + (from ?? "")).utf8)
        }
    }

    private static func text(
        _ id: UInt32?, _ prefix: String, in topic: Topic
    ) throws(LogError) -> String? {
        guard let id, let text = try topic.dictionaryText(id), text.hasPrefix(prefix) else {
            return nil
        }
        return String(text.dropFirst(prefix.count))
    }
}
