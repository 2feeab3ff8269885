internal import MillraceLog

/// How much of an input one partition has from a named producer.
struct ProducerTail: Equatable {
    /// The block of the newest batch; -1 before the first.
    var block = -1
    /// Lines of that block, from its first, whose rows are in the partition.
    var lines = 0
    /// Where the batch ends in the input, in bytes.
    var end = 0
    /// The checksum of the input up to there.
    var checksum: UInt32 = 0
    /// Whether the input that is read now begins with the same bytes.
    var isVerified = true

    /// A batch's sequence says which block it is of, and how many of the block's lines had been
    /// read: an input that grows adds to its last block.
    static func sequence(block: Int, lines: Int) -> UInt64 { UInt64(block) << 24 | UInt64(lines) }

    init() {}

    init(sequence: UInt64, origin: BatchOrigin) {
        block = Int(sequence >> 24)
        lines = Int(sequence & 0xFF_FFFF)
        end = Int(clamping: origin.end)
        checksum = origin.textChecksum
        isVerified = false
    }
}

/// Where a batch ends in the input.
struct InputPlace {
    var sequence: UInt64 = 0
    var begin = 0
    var end = 0
    var beginLine = 0
    var endLine = 0
    var checksum: UInt32 = 0
}

/// One partition of a topic that rows are appended to.
///
/// **Thread-safety**: one owner.
final class ProducerLane {
    let partition: Int
    private(set) var tail = ProducerTail()
    /// Rows appended, those that wait not counted.
    private(set) var rows = 0
    private(set) var batches = 0
    private(set) var bytes = 0
    private var builder: BatchBuilder
    private var writer: PartitionWriter?
    /// The dictionary's number for the input; nil for a producer without a name.
    private let source: UInt32?
    private let labelled: Bool
    private let acknowledgement: Acknowledgement?

    /// In the dictionary, texts that begin with this name producers.
    static let prefix = "producer:"

    init(
        _ topic: Topic, partition: Int, producer: String?, acknowledgement: Acknowledgement?
    ) throws(LogError) {
        self.partition = partition
        self.acknowledgement = acknowledgement
        let configuration = topic.configuration
        builder = BatchBuilder(columns: configuration.features)
        labelled = configuration.label
        let name = producer.map { Self.prefix + $0 }
        let writer = try topic.writer(partition: partition, producer: name)
        endOffset = writer.nextOffset
        self.writer = consume writer
        guard let name else {
            source = nil
            return
        }
        source = try topic.dictionaryID(of: name)
        if let last = try topic.lastOrigin(partition: partition, source: name, sourcePartition: 0) {
            tail = ProducerTail(sequence: last.sequence, origin: last.origin)
        }
    }

    /// Whether the partition has the row of a line of the input.
    func has(block: Int, line: Int) -> Bool {
        block < tail.block || block == tail.block && line < tail.lines
    }

    func markVerified() { tail.isVerified = true }

    /// Adds a row of bytes.
    func add(_ text: Span<UInt8>, _ row: DecodedRow) {
        row.hasKey
            ? builder.append(value: text, key: row.key.span) : builder.append(value: text)
    }

    /// Adds a row of features.
    func add(_ row: DecodedRow) {
        do {
            var target = builder.nextRow()
            let features = row.features.span
            for index in features.indices { target[index] = features[index] }
        }
        let label = labelled ? row.label : nil
        row.hasKey
            ? builder.commitRow(label: label, key: row.key.span) : builder.commitRow(label: label)
    }

    /// Appends what waits as one batch.
    func append(_ place: InputPlace) throws(LogError) {
        guard builder.rows > 0 else { return }
        let (count, size) = (builder.rows, builder.byteCount)
        if let source {
            builder.sequence = place.sequence
            var origin = BatchOrigin()
            origin.source = source
            origin.begin = UInt64(max(place.begin, tail.end))
            origin.end = UInt64(place.end)
            origin.beginLine = UInt64(place.beginLine)
            origin.endLine = UInt64(place.endLine)
            origin.textChecksum = place.checksum
            builder.origin = origin
        }
        do throws(LogError) {
            try writer?.append(&builder, acknowledgement: acknowledgement)
        } catch {
            // Published though not durable: whoever asks what is there is told so.
            if builder.rows == 0 { note(count, size, place) }
            throw error
        }
        note(count, size, place)
    }

    private func note(_ count: Int, _ size: Int, _ place: InputPlace) {
        rows += count
        bytes += size
        batches += 1
        tail.end = place.end
        endOffset = writer?.nextOffset ?? endOffset
    }

    /// The offset behind the partition's last row, as far as this lane knows.
    private(set) var endOffset: UInt64

    func flush() throws(LogError) { try writer?.flush() }

    /// Ends the writing, everything being on the disk.
    func close() throws(LogError) { try writer.take()?.close() }
}
