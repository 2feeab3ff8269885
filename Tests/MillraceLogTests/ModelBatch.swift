import MillraceSystem

@testable import MillraceLog

/// A batch as plain values, the oracle that encoded and decoded ones are compared with.
struct ModelBatch {
    var rows: Int
    var columns: Int
    var matrix: [Float] = []
    var labels: [Float] = []
    var timestamps: [Int64] = []
    var marks: [UInt8] = []
    var deltas: [UInt32] = []
    var drops: [[UInt32]] = []
    var keys: [[UInt8]?] = []
    var headers: [[RowHeader]] = []
    var values: [[UInt8]] = []

    /// A batch with a random choice of sections that fits a topic.
    static func random(
        _ configuration: TopicConfiguration, _ random: inout SplitMix64
    ) -> ModelBatch {
        func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
        func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(below(8) * 9) } }
        var batch = ModelBatch(rows: below(12) == 0 ? 0 : below(300), columns: 0)
        let rows = 0..<batch.rows
        if configuration.kind == .bytes {
            batch.values = rows.map { _ in bytes(below(40)) }
        } else {
            batch.columns = configuration.kind == .features ? configuration.features : 1 + below(5)
            batch.matrix = (0..<batch.rows * batch.columns).map { _ in Float(below(17)) * 0.37 - 3 }
        }
        if below(2) == 0 { batch.labels = rows.map { _ in Float(below(10)) } }
        if below(2) == 0 { batch.timestamps = rows.map { _ in Int64(below(1 << 40)) - 1 << 39 } }
        if below(2) == 0 { batch.marks = rows.map { _ in UInt8(below(4)) } }
        if below(2) == 0 { batch.deltas = rows.map { UInt32($0 * 3 + below(3)) } }
        if below(2) == 0 { batch.drops = (0..<below(9)).map { [UInt32($0), UInt32(below(9))] } }
        if below(2) == 0 {
            batch.keys = rows.map { _ in below(3) == 0 ? nil : bytes(below(12)) }
        }
        if below(2) == 0 {
            batch.headers = rows.map { _ in
                (0..<below(4)).map { RowHeader("name-\($0)-é", bytes(below(30))) }
            }
        }
        return batch
    }

    /// Adds the rows one by one.
    func fill(_ builder: inout BatchBuilder) {
        if builder.rows == 0 { builder.columns = columns }
        for row in 0..<rows {
            let key = keys.isEmpty ? nil : keys[row]
            let time = timestamps.isEmpty ? nil : timestamps[row]
            let headers = self.headers.isEmpty ? [] : self.headers[row]
            let value = columns > 0 ? [] : values[row]
            if columns > 0 {
                var target = builder.nextRow()
                for column in 0..<columns { target[column] = matrix[row * columns + column] }
            }
            switch (columns > 0, key) {
            case (true, let key?):
                builder.commitRow(key: key.span, timestamp: time, headers: headers)
            case (true, nil): builder.commitRow(timestamp: time, headers: headers)
            case (false, let key?):
                builder.append(
                    value: value.span, key: key.span, timestamp: time, headers: headers)
            case (false, nil):
                builder.append(value: value.span, timestamp: time, headers: headers)
            }
            if !labels.isEmpty { builder.addLabel(labels[row]) }
            if !marks.isEmpty { builder.addMark(marks[row]) }
            if !deltas.isEmpty { builder.addSourceDelta(deltas[row]) }
        }
        for drop in drops { builder.drop(sourceDelta: drop[0], reason: drop[1]) }
        builder.origin = BatchOrigin()
    }

    /// What of `batch` is not as it should be; nil when all is.
    func difference(
        _ batch: borrowing RecordBatch, _ configuration: TopicConfiguration
    ) -> String? {
        let image = BatchImage(batch)
        guard batch.rows == rows, batch.columns == columns else { return "size" }
        let expected = matrix.map {
            ElementKernelTests.rounded(
                $0, configuration.elementType, scale: configuration.scale,
                zeroPoint: configuration.zeroPoint)
        }
        if image.matrix.map({ Float(bitPattern: $0) }) != expected { return "matrix" }
        if image.labels != labels.map(\.bitPattern) { return "labels" }
        if image.marks != (marks.isEmpty ? Array(repeating: 0, count: rows) : marks) {
            return "marks"
        }
        let sources = deltas.isEmpty ? (0..<rows).map { UInt64($0) } : deltas.map { UInt64($0) }
        if image.sources != sources { return "sources" }
        if image.drops != drops { return "drops" }
        if image.values != values { return "values" }
        let details = RowDetails(batch)
        if details.keys != (keys.isEmpty ? Array(repeating: nil, count: rows) : keys) {
            return "keys"
        }
        if details.headers != (headers.isEmpty ? Array(repeating: [], count: rows) : headers) {
            return "headers"
        }
        guard !timestamps.isEmpty else { return batch.hasTimestamps ? "timestamps" : nil }
        guard batch.firstTimestamp == timestamps[0], batch.maxTimestamp == timestamps.max() else {
            return "first or largest timestamp"
        }
        return details.timestamps == timestamps ? nil : "timestamps"
    }
}

/// Keys, times and headers of a batch's rows as plain values.
struct RowDetails: Equatable {
    var keys: [[UInt8]?] = []
    var timestamps: [Int64] = []
    var headers: [[RowHeader]] = []

    init(_ batch: borrowing RecordBatch) {
        for row in 0..<batch.rows {
            if let key = batch.key(row) { keys.append(Self.bytes(key)) } else { keys.append(nil) }
            timestamps.append(batch.timestamp(row))
            var found: [RowHeader] = []
            var cursor = batch.headers(row)
            while cursor.next() {
                let name = String(decoding: Self.bytes(cursor.name), as: UTF8.self)
                found.append(RowHeader(name, Self.bytes(cursor.value)))
            }
            headers.append(found)
        }
    }

    private static func bytes(_ span: Span<UInt8>) -> [UInt8] { span.indices.map { span[$0] } }
}

/// A batch as its file holds it, at an address that is a multiple of 64.
struct StoredBatch: ~Copyable {
    var buffer: AlignedBuffer
    let byteCount: Int

    init(_ bytes: RawSpan) {
        byteCount = bytes.byteCount
        buffer = AlignedBuffer(byteCount: bytes.byteCount)
        var target = buffer.mutableBytes
        target.copy(bytes, at: 0)
    }

    /// What `encoder` makes of the builder's rows.
    init(
        _ encoder: inout BatchEncoder, _ builder: inout BatchBuilder, baseOffset: UInt64 = 0
    ) throws(LogError) {
        try encoder.prepare(&builder)
        encoder.header.baseOffset = baseOffset
        encoder.header.epoch = 1
        encoder.header.appendedAt = 1_700_000_000_000_000_000
        encoder.encode(&builder)
        self.init(encoder.batch(of: builder))
    }

    var bytes: RawSpan {
        @_lifetime(borrow self)
        get { buffer.bytes.extracting(0..<byteCount) }
    }

    mutating func flip(bit: Int) {
        let byte: UInt8 = bytes.load(bit / 8)
        var target = buffer.mutableBytes
        target.store(byte ^ 1 << UInt8(bit % 8), at: bit / 8)
    }

    /// Reads the batch, checks it, and hands it over.
    borrowing func read<R>(
        _ decoder: inout BatchDecoder, verify: Bool = true,
        _ body: (borrowing RecordBatch) -> R
    ) throws(BatchHeaderFault) -> R {
        let header = try BatchHeader(bytes)
        let stored = bytes.extracting(
            header.headerBytes..<header.headerBytes + header.storedBytes)
        try decoder.decode(header, stored: stored, verify: verify)
        return body(decoder.batch(stored: stored, skippedRows: 0))
    }
}
