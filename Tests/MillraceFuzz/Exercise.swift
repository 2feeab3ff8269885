import MillraceLog
import MillraceSystem

/// Everything that users do with a topic, on one whose files were changed.
///
/// What must hold: nothing traps; what fails fails with a typed error; verification finds what
/// readers stumble over; and what `RowCheck` says of rows.
struct Exercise {
    private let template: Template
    private let restarts: Bool
    private var check: RowCheck

    init(_ template: Template, _ input: Input) {
        self.template = template
        restarts = input.restarts
        check = RowCheck(template, input)
    }

    /// Runs it all; says in a word or two how far it came.
    func run() -> String {
        do throws(LogError) {
            let data = try DataDirectory(template.path, create: false)
            let isIntact = verify(data)
            attempt { () throws(LogError) in try salvage(data) }
            let topic = try data.topic(Template.topic)
            return walk(topic, isIntact: isIntact)
        } catch {
            return "not opened, \(error.code)"
        }
    }

    /// Whether verification finds nothing; nil when it cannot look.
    private func verify(_ data: DataDirectory) -> Bool? {
        do throws(LogError) {
            let report = try data.verifyTopic(Template.topic)
            for fault in report.faults where fault.description.isEmpty {
                fatalError("a fault that says nothing: \(fault)")
            }
            return report.isIntact
        } catch {
            look(error)
            return nil
        }
    }

    /// Copies what is intact and reads the copy.
    private func salvage(_ data: DataDirectory) throws(LogError) {
        let place = template.path + "-salvaged"
        do throws(SystemError) {
            if Files.exists(place) { try Files.removeTree(place) }
        } catch {
            fatalError("cannot remove a copy: \(error)")
        }
        let target = try DataDirectory(place, create: true)
        let report = try data.salvageTopic(
            Template.topic, into: target, as: template.configuration)
        var reader = try target.topic(Template.topic).reader(partition: 0)
        let rows = try check.read(&reader, from: 0, isCopy: true)
        if rows != report.kept.rows { fatalError("\(rows) rows salvaged of \(report.kept.rows)") }
    }

    private func walk(_ topic: Topic, isIntact: Bool?) -> String {
        for id in UInt32(0)...5 {
            attempt { () throws(LogError) in _ = try topic.dictionaryText(id) }
        }
        attempt { () throws(LogError) in _ = try topic.dictionaryID(of: "model") }
        attempt { () throws(LogError) in _ = try topic.dictionaryID(of: "another") }
        attempt { () throws(LogError) in
            _ = try topic.lastOrigin(
                partition: 0, source: "topic:source#1", sourcePartition: 0, group: "group")
        }
        let before = readAll(topic)
        if before == "\(LogError.Code.corrupt)", isIntact == true, !restarts {
            fatalError("a reader found damage that verification did not find")
        }
        for offset in [0, 3, template.rows - 1, template.rows, template.rows + 9] {
            attempt { () throws(LogError) in
                var reader = try topic.reader(partition: 0, from: offset)
                try check.read(&reader, from: offset)
            }
        }
        attempt { () throws(LogError) in
            _ = try topic.offset(partition: 0, atOrAfter: Template.timestamp(8))
        }
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
        do throws(LogError) { try body() } catch { look(error) }
    }

    /// An error says what happened.
    private func look(_ error: LogError) {
        guard !error.message.isEmpty, (error.position ?? 0) >= 0, !error.description.isEmpty else {
            fatalError("an error that says nothing: \(error)")
        }
    }

    private func readAll(_ topic: Topic) -> String {
        do throws(LogError) {
            var reader = try topic.reader(partition: 0)
            return try check.read(&reader, from: 0) == check.rows ? "all rows" : "fewer rows"
        } catch {
            look(error)
            return "\(error.code)"
        }
    }

    /// Two writers append in turn behind whatever is there.
    private mutating func append(_ topic: Topic) throws(LogError) {
        var first = try topic.writer(partition: 0)
        var second = try topic.writer(partition: 0, mode: .mapped)
        for turn in 0..<2 {
            try append(3, to: &first)
            try append(2 + turn, to: &second)
        }
        try second.close()
        try append(1, to: &first)
        try first.close()
    }

    private mutating func append(
        _ count: Int, to writer: inout PartitionWriter
    ) throws(LogError) {
        var builder = BatchBuilder(columns: template.configuration.features)
        let content = check.nextContent
        for row in content..<content + UInt64(count) {
            Template.add(row, to: &builder, template.kind, extras: false)
        }
        guard let base = try writer.append(&builder).baseOffset else {
            fatalError("a batch without a name was called a duplicate")
        }
        check.add(count, content: content, at: base)
    }
}
