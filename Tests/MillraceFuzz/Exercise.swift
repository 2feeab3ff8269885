import MillraceLog
import MillraceSystem

/// Everything that users do with a topic, on one whose files were changed.
///
/// What must hold: nothing traps; what fails fails with a typed error; rows that are given out are
/// rows that were written, in order, each at its offset. (Fewer are allowed here: an input changes
/// more than one place.)
struct Exercise {
    private let template: Template
    /// Whether the input only got past checksums that it made right: any row may come out.
    private let mayForge: Bool
    /// Rows appended behind the damage, by their offset.
    private var appended: Set<UInt64> = []

    init(_ template: Template, _ input: Input) {
        self.template = template
        mayForge = input.fixesChecksums
    }

    /// Runs it all; says in a word or two how far it came.
    func run() -> String {
        do throws(LogError) {
            let data = try DataDirectory(template.path, create: false)
            let topic = try data.topic(Template.topic)
            return walk(topic)
        } catch {
            return "not opened, \(error.code)"
        }
    }

    private func walk(_ topic: Topic) -> String {
        for id in UInt32(0)...5 {
            attempt { () throws(LogError) in _ = try topic.dictionaryText(id) }
        }
        attempt { () throws(LogError) in _ = try topic.dictionaryID(of: "model") }
        attempt { () throws(LogError) in _ = try topic.dictionaryID(of: "another") }
        attempt { () throws(LogError) in
            _ = try topic.lastOrigin(
                partition: 0, source: "topic:source#1", sourcePartition: 0, group: "group")
        }
        for offset in [0, 3, template.rows - 1, template.rows, template.rows + 9] {
            attempt { () throws(LogError) in
                var reader = try topic.reader(partition: 0, from: offset)
                try read(&reader, from: offset)
            }
        }
        let before = readAll(topic)
        var after = "no writer"
        var added = self
        do throws(LogError) {
            try added.append(topic)
            after = added.readAll(topic)
        } catch {
            after = "\(error.code)"
        }
        return "\(before), then \(after)"
    }

    private func attempt(_ body: () throws(LogError) -> Void) {
        do throws(LogError) { try body() } catch { check(error) }
    }

    /// An error says what happened.
    private func check(_ error: LogError) {
        guard !error.message.isEmpty, (error.position ?? 0) >= 0, !error.description.isEmpty else {
            fatalError("an error that says nothing: \(error)")
        }
    }

    private func readAll(_ topic: Topic) -> String {
        do throws(LogError) {
            var reader = try topic.reader(partition: 0)
            let rows = try read(&reader, from: 0)
            return rows == template.rows + UInt64(appended.count) ? "all rows" : "fewer rows"
        } catch {
            check(error)
            return "\(error.code)"
        }
    }

    /// Reads to the end, looking at everything that a batch shows; returns the number of rows.
    @discardableResult
    private func read(
        _ reader: inout PartitionReader, from first: UInt64
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
        return rows
    }

    /// Calls every accessor for every row.
    private func look(_ batch: borrowing RecordBatch) {
        var sum: UInt64 = UInt64(batch.labels.count) &+ UInt64(batch.storedBytes)
        for index in 0..<batch.rows {
            sum &+= UInt64(batch.mark(index)) &+ batch.sourceOffset(index)
        }
        for index in 0..<batch.dropCount { sum &+= UInt64(batch.drop(index).reason) }
        if sum == .max { print(sum) }
    }

    private func isRight(_ batch: borrowing RecordBatch, _ index: Int) -> Bool {
        let offset = batch.baseOffset + UInt64(index)
        if batch.columns == 0 {
            let found = batch.value(index)
            let expected = Template.value(offset)
            guard isKnown(offset), template.kind == .bytes, found.count == expected.count else {
                return false
            }
            for byte in found.indices where found[byte] != expected[byte] { return false }
            return true
        }
        let matrix = batch.matrix
        var isRight = isKnown(offset) && template.kind == .features
        for column in 0..<batch.columns {
            let found = matrix[index * batch.stride + column]
            if column >= Template.columns || found != Template.feature(offset, column) {
                isRight = false
            }
        }
        if batch.hasLabels, batch.labels[index] != Template.label(offset) { isRight = false }
        return isRight
    }

    private func isKnown(_ offset: UInt64) -> Bool {
        offset < template.rows || appended.contains(offset)
    }

    /// Wrong rows end the process, unless the input made checksums that fit them.
    private func complain(_ what: String) {
        guard !mayForge else { return }
        for (path, intact) in template.files where path.hasSuffix(".log") {
            let place = template.directory + "/" + path
            guard let now = try? Files.read(place, maxBytes: 1 << 24) else { continue }
            if Checksums.isForged(now, intact: intact) { return }
        }
        fatalError(what)
    }

    /// Appends a few rows behind whatever is there.
    private mutating func append(_ topic: Topic) throws(LogError) {
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: template.kind == .bytes ? 0 : Template.columns)
        let first = writer.nextOffset
        for offset in first..<first + 3 {
            if template.kind == .bytes {
                builder.append(value: Template.value(offset).span)
                continue
            }
            var row = builder.nextRow()
            for column in 0..<Template.columns { row[column] = Template.feature(offset, column) }
            builder.commitRow(label: Template.label(offset))
        }
        let base = try writer.append(&builder).baseOffset
        if base != first { fatalError("the row promised offset \(first) is at \(base ?? 0)") }
        for offset in first..<first + 3 { appended.insert(offset) }
        try writer.close()
    }
}
