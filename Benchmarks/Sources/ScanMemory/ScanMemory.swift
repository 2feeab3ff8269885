internal import LogFigures
internal import MillraceLog

/// Writes a log, scans it, and prints how much memory of its own the process had at most.
///
/// `scan-memory DIRECTORY [GIGABYTES [none|lz4]]`; the directory must not hold a topic `scan-memory`,
/// which is deleted in the end.
@main
enum ScanMemory {
    private static let columns = 64
    private static let rowsPerBatch = 1024
    private static let asked = 64 << 20

    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count > 1 else {
            print("usage: scan-memory DIRECTORY [GIGABYTES [none|lz4]]")
            return
        }
        let gigabytes = arguments.count > 2 ? Int(arguments[2]) ?? 10 : 10
        let codec = arguments.count > 3 ? Codec(rawValue: arguments[3]) ?? .none : .none
        let data = try DataDirectory(arguments[1], create: true)
        let topic = try data.topic(
            "scan-memory",
            creating: TopicConfiguration(kind: .features, features: columns, codec: codec))
        do {
            try write(topic, bytes: gigabytes * 1_000_000_000)
            try scan(topic)
        } catch {
            try data.deleteTopic("scan-memory")
            throw error
        }
        try data.deleteTopic("scan-memory")
    }

    private static func write(_ topic: Topic, bytes: Int) throws {
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: columns)
        var written = 0
        while written < bytes {
            var rows = builder.addRows(rowsPerBatch)
            for index in rows.indices { rows[index] = Float(index % 17) }
            try writer.append(&builder)
            written += rowsPerBatch * columns * 4
        }
        try writer.close()
    }

    private static func scan(_ topic: Topic) throws {
        var reader = try topic.reader(partition: 0)
        var batches = 0
        var rows = 0
        var decodedBytes = 0
        var anonymous = 0
        var dirty = 0
        var total = 0
        let clock = ContinuousClock()
        let start = clock.now
        while let batch = try reader.next() {
            batches += 1
            rows += batch.rows
            decodedBytes += batch.decodedBytes
            guard batches.isMultiple(of: 128) else { continue }
            let memory = Machine.PrivateMemory.current()
            anonymous = max(anonymous, memory.anonymous)
            dirty = max(dirty, memory.dirty)
            total = max(total, memory.clean + memory.dirty)
        }
        let seconds = (clock.now - start) / .seconds(1)
        print("\(rows) rows, \(decodedBytes) bytes, in \(seconds) s")
        print("anonymous at most \(anonymous >> 20) MiB (asked: below \(asked >> 20) MiB)")
        print("private and dirty at most \(dirty >> 20) MiB")
        print("private at most \(total >> 20) MiB, pages of the log that only it maps included")
    }
}
