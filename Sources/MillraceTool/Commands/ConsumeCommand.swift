internal import ArgumentParser
internal import Glibc
internal import Millrace

/// `millrace consume`: rows of a topic as JSON Lines.
struct ConsumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "consume", abstract: "Prints the rows of a topic as JSON Lines.",
        discussion: "Example: millrace consume flights.scores --max 5")

    @Argument(help: "The topic.") var topic: String
    @Option(help: "Only this partition.") var partition: Int?
    @Option(help: "Begin at this offset of each partition.") var offset: UInt64 = 0
    @Option(name: .customLong("max"), help: "Print at most this many rows.") var most: Int = .max
    @OptionGroup var places: DataOptions

    func run() throws {
        Signals.ignoreBrokenPipesAndFileSizes()
        try ExitStatus.coded {
            let data = try DataDirectory(places.data, create: false)
            let topic = try data.topic(topic)
            topic.expireRows()
            var left = most
            for partition in partition.map({ [$0] }) ?? Array(0..<topic.partitions) {
                guard left > 0 else { break }
                try consume(topic, partition, &left)
            }
        }
    }

    private func consume(_ topic: Topic, _ partition: Int, _ left: inout Int) throws {
        var reader = try topic.reader(partition: partition)
        try reader.seek(to: max(offset, reader.startOffset))
        while left > 0 {
            guard let batch = try reader.next() else { return }
            let source = try RowText.Source(batch.origin, in: topic)
            for index in batch.skippedRows..<batch.rows where left > 0 {
                let row = RowText(
                    batch, index, partition: partition, kind: topic.configuration.kind,
                    source: source)
                // A reader that went away, such as `head`, is no failure.
                guard unsafe puts(try JSONText.line(row)) >= 0 else { return left = 0 }
                left -= 1
            }
        }
    }
}

/// A row as `consume` prints it.
struct RowText: Encodable {
    struct Place: Encodable {
        let topic: String
        let partition: Int
        let offset: UInt64
    }

    /// What the batch says of where its rows came from, in words.
    struct Source {
        let topic: String?
        let partition: Int
        let model: String?

        init(_ origin: BatchOrigin?, in topic: Topic) throws {
            func text(_ id: UInt32?, _ prefix: String) throws -> String? {
                guard let id, let text = try topic.dictionaryText(id), text.hasPrefix(prefix)
                else { return nil }
                return String(text.dropFirst(prefix.count))
            }
            self.topic = try text(origin?.source, "topic:")
                .map { String($0.prefix { $0 != "#" }) }
            partition = Int(origin?.sourcePartition ?? 0)
            model = try text(origin?.model, "model:").map { "\($0)@\(origin?.modelVersion ?? 0)" }
        }
    }

    let partition: Int
    let offset: UInt64
    let timestamp: Int64
    var value: String?
    var features: [Float]?
    var label: Float?
    var outputs: [Float]?
    var null: Int?
    var model: String?
    var source: Place?

    init(
        _ batch: borrowing RecordBatch, _ index: Int, partition: Int,
        kind: TopicConfiguration.Kind, source: Source
    ) {
        self.partition = partition
        offset = batch.baseOffset + UInt64(index)
        timestamp = batch.firstTimestamp
        switch kind {
        case .bytes:
            let bytes = batch.value(index)
            value = String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
        case .features:
            features = Self.numbers(batch, index)
            if batch.hasLabels, !batch.labels[index].isNaN { label = batch.labels[index] }
        case .predictions:
            if batch.mark(index) == 0 {
                outputs = Self.numbers(batch, index)
            } else {
                null = Int(batch.mark(index))
            }
            model = source.model
            if let topic = source.topic {
                self.source = Place(
                    topic: topic, partition: source.partition, offset: batch.sourceOffset(index))
            }
        }
    }

    private static func numbers(_ batch: borrowing RecordBatch, _ index: Int) -> [Float] {
        var numbers = [Float](repeating: 0, count: batch.columns)
        var target = numbers.mutableSpan
        batch.widen(rows: index..<index + 1, into: &target)
        return numbers
    }
}
