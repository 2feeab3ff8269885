import MillraceLog
import MillraceSystem

/// What must be true of the rows that are read from a topic whose files were changed.
///
/// Rows that are given out are rows that were written, in order, each at its offset. Where the
/// change is one that checksums find, none is left out in silence.
struct RowCheck {
    private let template: Template
    /// Whether the input only got past checksums that it made right: any row may come out.
    private let mayForge: Bool
    /// Whether rows may be missing without an error.
    private let mayLose: Bool
    /// Rows appended behind the damage: which row of the template's kind, by their offset.
    private var appended: [UInt64: UInt64] = [:]

    init(_ template: Template, _ input: Input) {
        self.template = template
        mayForge = input.fixesChecksums
        mayLose = input.mayLoseRows
    }

    /// How many rows there are when none is lost.
    var rows: UInt64 { template.rows + UInt64(appended.count) }

    /// The row to append next: its content does not tell its offset, which others may take.
    var nextContent: UInt64 { 100 + UInt64(appended.count) }

    /// Takes note of a batch that was appended.
    mutating func add(_ count: Int, content: UInt64, at first: UInt64) {
        for index in 0..<UInt64(count) {
            guard appended.updateValue(content + index, forKey: first + index) == nil else {
                fatalError("offset \(first + index) was promised twice")
            }
        }
    }

    /// Reads to the end, looking at everything that a batch shows; returns the number of rows.
    @discardableResult
    func read(
        _ reader: inout PartitionReader, from first: UInt64, isCopy: Bool = false
    ) throws(LogError) -> UInt64 {
        var next = first
        var rows: UInt64 = 0
        while let batch = try reader.next() {
            look(batch)
            if batch.skippedRows < batch.rows {
                let start = batch.baseOffset + UInt64(batch.skippedRows)
                if start < next { complain("offset \(start) after \(next)") }
                next = batch.endOffset
            }
            for index in batch.skippedRows..<batch.rows where !isRight(batch, index) {
                complain("offset \(batch.baseOffset + UInt64(index)) holds other rows")
            }
            rows += UInt64(batch.rows - batch.skippedRows)
        }
        let due = self.rows - min(first, self.rows)
        if !mayLose, !isCopy, rows < due { complain("\(rows) rows of \(due), and no error") }
        return rows
    }

    /// Calls every accessor for every row.
    private func look(_ batch: borrowing RecordBatch) {
        var sum: UInt64 = UInt64(batch.labels.count) &+ UInt64(batch.storedBytes)
        for index in 0..<batch.rows {
            sum &+= UInt64(batch.mark(index)) &+ batch.sourceOffset(index)
            sum &+= UInt64(bitPattern: batch.timestamp(index))
            if let key = batch.key(index) { sum &+= UInt64(key.count) }
            var headers = batch.headers(index)
            while headers.next() { sum &+= UInt64(headers.name.count + headers.value.count) }
        }
        for index in 0..<batch.dropCount { sum &+= UInt64(batch.drop(index).reason) }
        if sum == .max { print(sum) }
    }

    private func isRight(_ batch: borrowing RecordBatch, _ index: Int) -> Bool {
        let place = batch.baseOffset + UInt64(index)
        guard let offset = appended[place] ?? (place < template.rows ? place : nil) else {
            return false
        }
        if batch.columns == 0 {
            guard template.kind == .bytes else { return false }
            return isValue(batch.value(index), of: offset) && hasKey(batch, index, of: offset)
        }
        guard template.kind == .features, batch.columns == Template.columns else { return false }
        var row = [Float](repeating: 0, count: batch.columns)
        var target = row.mutableSpan
        batch.widen(rows: index..<index + 1, into: &target)
        for column in row.indices where row[column] != Template.feature(offset, column) {
            return false
        }
        return !batch.hasLabels || batch.labels[index] == Template.label(offset)
    }

    private func isValue(_ found: Span<UInt8>, of offset: UInt64) -> Bool {
        let expected = Template.value(offset)
        guard found.count == expected.count else { return false }
        for byte in found.indices where found[byte] != expected[byte] { return false }
        return true
    }

    private func hasKey(_ batch: borrowing RecordBatch, _ index: Int, of offset: UInt64) -> Bool {
        guard let found = batch.key(index) else { return true }
        let expected = Template.key(offset)
        guard found.count == expected.count else { return false }
        for byte in found.indices where found[byte] != expected[byte] { return false }
        return batch.timestamp(index) == Template.timestamp(offset)
    }

    /// What is wrong ends the process, unless the input made checksums that fit it.
    func complain(_ what: String) {
        guard !mayForge else { return }
        for (path, intact) in template.files where path.hasSuffix(".log") {
            let place = template.directory + "/" + path
            guard let now = try? Files.read(place, maxBytes: 1 << 24) else { continue }
            if Checksums.isForged(now, intact: intact) { return }
        }
        fatalError(what)
    }
}
