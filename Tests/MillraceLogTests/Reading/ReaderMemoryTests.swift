import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// How much of the log a reader keeps mapped.
@Suite struct ReaderMemoryTests {
    private static let batches = 24
    /// Together three times what one scan may keep.
    private static let batchBytes = 8 << 20

    private static func filled() throws -> TopicFixture {
        let fixture = try TopicFixture(.features, features: 1024, segmentBytes: 1 << 30)
        var writer = try fixture.topic.writer(partition: 0)
        var builder = BatchBuilder(columns: 1024)
        for batch in 0..<Self.batches {
            var rows = builder.addRows(Self.batchBytes / 4096)
            rows[0] = Float(batch)
            try writer.append(&builder)
        }
        try writer.close()
        return fixture
    }

    /// Bytes of the file at `path` that this process has mapped and in place.
    private static func residentBytes(_ path: String) throws -> Int {
        var content = [UInt8](repeating: 0, count: 4 << 20)
        let count = try FileHandle("/proc/self/smaps", .read).read(into: &content, at: 0)
        let maps = String(decoding: content[..<count], as: UTF8.self)
        var isOfFile = false
        var kibibytes = 0
        for line in maps.split(whereSeparator: \.isNewline) {
            let words = line.split(separator: " ")
            if line.contains("-"), words.count >= 5, words[1].count == 4 {
                isOfFile = words.last.map(String.init) == path
            } else if isOfFile, words.first == "Rss:", words.count == 3 {
                kibibytes += Int(words[1]) ?? 0
            }
        }
        return kibibytes << 10
    }

    /// Reads to the end; returns the most that was in place after a batch.
    private static func scan(
        _ reader: inout PartitionReader, _ path: String
    ) throws -> Int {
        var most = 0
        var rows = 0
        while let batch = try reader.next() {
            let first = batch.matrix[0]
            #expect(first == Float(rows / (Self.batchBytes / 4096)))
            rows += batch.rows
            most = max(most, try residentBytes(path))
        }
        #expect(rows == Self.batches * Self.batchBytes / 4096)
        return most
    }

    @Test func aScanLetsGoAndWhoGoesBackKeeps() throws {
        let fixture = try Self.filled()
        let path = try fixture.newest()
        var reader = try fixture.topic.reader(partition: 0)
        let most = try Self.scan(&reader, path)
        #expect(most > 32 << 20)
        #expect(most < 64 << 20)
        #expect(try Self.residentBytes(path) < 64 << 20)
        try reader.seek(to: 0)
        // The kernel may take some of it back at any time.
        let kept = try Self.scan(&reader, path)
        #expect(kept > 128 << 20)
    }

    @Test func seekingForwardLetsGoOfWhatLiesBehind() throws {
        let fixture = try Self.filled()
        let path = try fixture.newest()
        var reader = try fixture.topic.reader(partition: 0)
        for batch in 0..<Self.batches {
            try reader.seek(to: UInt64(batch * Self.batchBytes / 4096))
            guard let found = try reader.next() else {
                Issue.record("no batch \(batch)")
                return
            }
            let first = found.matrix[0]
            #expect(first == Float(batch))
            #expect(try Self.residentBytes(path) < 64 << 20)
        }
    }
}
