import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// A topic of a few segments and epochs to damage, and what must remain of it.
struct DamagedTopic {
    /// A batch as the files hold it.
    struct Batch {
        let path: String
        /// Byte of its header in the file.
        let at: Int
        let header: BatchHeader

        var bytes: Range<Int> { at..<at + header.batchBytes }
        var offsets: Range<UInt64> {
            header.baseOffset..<header.baseOffset + UInt64(header.rows)
        }
        /// Header and payload: what checksums cover.
        var covered: Range<Int> { at..<at + header.headerBytes + header.storedBytes }
    }

    let fixture: TopicFixture
    let batches: [Batch]
    let end: UInt64

    /// Rows that follow from their offsets, batches with origins and dictionary ids, timestamps,
    /// indexes of every segment.
    init(codec: Codec = .none, epochs: Int = 3, batches count: Int = 120, seed: UInt64) throws {
        fixture = try TopicFixture(codec: codec)
        var random = SplitMix64(seed: seed)
        let group = try fixture.topic.dictionaryID(of: "group:g")
        let source = try fixture.topic.dictionaryID(of: "topic:source#1")
        var progress: UInt64 = 0
        for epoch in 0..<epochs {
            var writer = try fixture.topic.writer(partition: 0)
            for _ in 0..<count {
                var builder = BatchBuilder()
                let first = writer.nextOffset
                let rows = random.next() % 9 == 0 ? 0 : 1 + random.next() % 60
                for offset in first..<first + rows { builder.append(value: Rows.value(offset)) }
                if rows == 0 || random.next() % 2 == 0 {
                    builder.origin = BatchOrigin()
                    builder.origin?.group = group
                    builder.origin?.source = source
                    builder.origin?.begin = progress
                    progress += random.next() % 100
                    builder.origin?.end = progress
                }
                builder.timestamp = Int64(1_000 + random.next() % 1_000)
                try writer.append(&builder)
                if random.next() % 40 == 0 { try writer.flush() }
            }
            if epoch == 1 {
                try writer.close()
            } else if epoch + 1 < epochs {
                try Self.die(fixture)
            }
        }
        batches = try Self.batches(of: fixture)
        end = try fixture.topic.endOffset(partition: 0)
        try buildIndexes()
    }

    /// The writer dies while it has the append lock: the next one begins an epoch.
    private static func die(_ fixture: TopicFixture) throws {
        let control = try fixture.control()
        control.appender.storeReleasing(control.appender.loadAcquiring() | 4_000)
    }

    private static func batches(of fixture: TopicFixture) throws -> [Batch] {
        let list = try fixture.files.segments(from: 0)
        let published = try fixture.control().publishedValue().position
        var batches: [Batch] = []
        for index in list.entries.indices {
            let path = list.entries[index].path
            var walk = try BatchWalk(
                fixture.files.open(list.entries[index]),
                limit: list.limit(of: index, published: published))
            var at = SegmentHeader.byteCount
            while let header = try walk.next() {
                batches.append(Batch(path: path, at: at, header: header))
                at += header.batchBytes
            }
        }
        return batches
    }

    private func buildIndexes() throws {
        let list = try fixture.files.segments(from: 0)
        let published = try fixture.control().publishedValue().position
        let lookup = TimestampLookup(files: fixture.files, list: list, published: published)
        for index in list.entries.indices {
            try SegmentIndex.rebuild(
                fixture.files.open(list.entries[index]),
                limit: list.limit(of: index, published: published),
                priorMaxTimestamp: lookup.priorMaxTimestamp(ofSegment: index))
        }
    }

    var data: DataDirectory {
        get throws { try DataDirectory(fixture.directory.path, create: false) }
    }
    var topicPath: String { fixture.topic.entry }
    var dictionaryPath: String { fixture.topic.directory + "/dictionary" }
    /// Paths of the segments, in the order of the log.
    var segments: [String] {
        batches.map(\.path).reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }

    func verify() throws -> TopicVerification { try data.verifyTopic("rows") }

    /// Offsets of all rows but those of the batches that `isLost`.
    func offsets(without isLost: (Batch) -> Bool) -> [UInt64] {
        batches.filter { !isLost($0) }.flatMap { Array($0.offsets) }
    }

    /// The content of every file of the topic, by path.
    func content() throws -> [String: [UInt8]] {
        var all: [String: [UInt8]] = [:]
        for directory in [topicPath, fixture.topic.directory, fixture.partitionPath] {
            for name in try Files.list(directory) where Files.isRegular(directory + "/" + name) {
                all[directory + "/" + name] = try Damage.content(directory + "/" + name)
            }
        }
        return all
    }

    /// Salvages, and checks that the copy is intact, holds exactly the rows at `offsets` and can
    /// be appended to without using an offset again; the original stays as it is.
    @discardableResult
    func expectSalvage(
        keeps offsets: [UInt64], as configuration: TopicConfiguration? = nil,
        _ comment: Comment? = nil
    ) throws -> SalvageReport {
        let before = try content()
        let other = try TemporaryDirectory("millrace-salvage")
        let target = try DataDirectory(other.path, create: true)
        let report = try data.salvageTopic("rows", into: target, as: configuration)
        #expect(try content() == before, comment)
        let copied = try target.verifyTopic("rows")
        #expect(copied.faults == [], comment)
        #expect(copied.notes == [], comment)
        #expect(copied.counts == report.kept, comment)
        #expect(report.kept.rows == UInt64(offsets.count), comment)
        let topic = try target.topic("rows")
        var reader = try topic.reader(partition: 0)
        #expect(try Rows.offsets(&reader) == offsets, comment)
        var writer = try topic.writer(partition: 0)
        #expect(writer.nextOffset >= end, comment)
        let first = writer.nextOffset
        try Rows.append(3, to: &writer)
        #expect(try Rows.offsets(&reader) == Array(first..<first + 3), comment)
        try writer.close()
        #expect(try target.verifyTopic("rows").faults == [], comment)
        return report
    }
}
