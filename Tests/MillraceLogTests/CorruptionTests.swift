import MillraceSystem
import Testing

@testable import MillraceLog

/// Damage of every kind to the bytes on the disk: a typed error or the right rows, never a trap,
/// never other rows, never fewer rows in silence.
@Suite struct CorruptionTests {
    /// Stored batches of a feature topic with every section, or LZ4 batches of a byte topic: one
    /// in the first segment, two in the second, which is a successor's.
    private static func fixture(_ codec: Codec) throws -> TopicFixture {
        let fixture =
            codec == .none
            ? try TopicFixture(.features, features: 2, label: true) : try TopicFixture(codec: codec)
        var writer = try fixture.topic.writer(partition: 0)
        for batch in 0..<3 {
            if batch == 1 { try fixture.killOwner() }
            var builder = BatchBuilder(columns: codec == .none ? 2 : 0)
            if codec == .none { fill(&builder, batch) } else { fill(&builder) }
            try writer.append(&builder)
        }
        return fixture
    }

    private static func fill(_ builder: inout BatchBuilder) {
        for index in 0..<40 { builder.append(value: "value \(index % 3)".utf8) }
    }

    private static func fill(_ builder: inout BatchBuilder, _ batch: Int) {
        for index in 0..<5 {
            var row = builder.nextRow()
            row[0] = Float(index)
            row[1] = Float(batch)
            builder.commitRow(label: 1, sourceDelta: UInt32(index * 2), mark: UInt8(index))
        }
        builder.drop(sourceDelta: 1, reason: 3)
        builder.origin = BatchOrigin()
        builder.origin?.end = UInt64(batch)
    }

    /// What a reader makes of the damaged files.
    private enum Outcome: Equatable {
        case allRows
        /// The batches before the damage, and then an error.
        case error(LogError.Code)
        case fewerRows
        case wrongRows
    }

    private static func outcome(_ fixture: TopicFixture, _ whole: [BatchImage]) -> Outcome {
        var seen = 0
        do throws(LogError) {
            var reader = try fixture.topic.reader(partition: 0)
            while let batch = try reader.next() {
                guard seen < whole.count, BatchImage(batch) == whole[seen] else {
                    return .wrongRows
                }
                seen += 1
            }
        } catch {
            return .error(error.code)
        }
        return seen == whole.count ? .allRows : .fewerRows
    }

    /// The writer that opens damaged files refuses, or goes on behind all the rows.
    @Test func everyHeaderBitForAWriter() throws {
        let fixture = try Self.fixture(.none)
        let path = try fixture.newest()
        let whole = try fixture.images()
        let end = try fixture.topic.endOffset(partition: 0)
        let control = try Damage.content(fixture.controlPath)
        // The segment's header and the first batch's; every fifth bit, since opening syncs.
        for bit in stride(from: 0, to: (128 + 256) * 8, by: 5) {
            try Damage.flip(path, bit: bit)
            do throws(LogError) {
                let writer = try fixture.topic.writer(partition: 0)
                #expect(writer.nextOffset == end, "bit \(bit)")
            } catch {
                #expect([.corrupt, .unsupportedFormat].contains(error.code), "bit \(bit)")
            }
            try Damage.flip(path, bit: bit)
            try FileHandle(fixture.controlPath, .readWrite).write(control, at: 0)
        }
        #expect(Self.outcome(fixture, whole) == .allRows)
    }

    /// The fixed fields of the control page are covered by a checksum or are constants.
    @Test func everyBitOfTheControlPagesIdentity() throws {
        let fixture = try Self.fixture(.none)
        let whole = try fixture.images()
        for bit in 0..<32 * 8 {
            try Damage.flip(fixture.controlPath, bit: bit)
            let expected: LogError.Code = (64..<96).contains(bit) ? .unsupportedFormat : .corrupt
            #expect(Self.outcome(fixture, whole) == .error(expected), "bit \(bit)")
            let writing = logErrorCode { () throws(LogError) in
                _ = try fixture.topic.writer(partition: 0)
            }
            #expect(writing == expected, "bit \(bit)")
            try Damage.flip(fixture.controlPath, bit: bit)
        }
        #expect(Self.outcome(fixture, whole) == .allRows)
    }

    @Test(arguments: [0, 1, 64, 4095])
    func aShortControlPageIsRefused(size: Int) throws {
        let fixture = try Self.fixture(.none)
        try Damage.truncate(fixture.controlPath, to: size)
        for writing in [false, true] {
            let code = logErrorCode { () throws(LogError) in
                if writing {
                    _ = try fixture.topic.writer(partition: 0)
                } else {
                    _ = try fixture.topic.reader(partition: 0)
                }
            }
            #expect(code == .corrupt)
        }
    }

    /// Files that belong to another topic or partition are refused, although they are intact.
    @Test func foreignFilesAreRefused() throws {
        let fixture = try Self.fixture(.none)
        let whole = try fixture.images()
        let other = try Self.fixture(.none)
        let path = try fixture.newest()
        try Damage.overwrite(path, with: try Damage.content(other.newest()))
        #expect(Self.outcome(fixture, whole) == .error(.corrupt))
        try Damage.overwrite(
            fixture.controlPath, with: try Damage.content(other.controlPath))
        #expect(Self.outcome(fixture, whole) == .error(.corrupt))
    }

    /// An error names the file, the byte, what was expected and what was found.
    @Test func theErrorSaysWhere() throws {
        let fixture = try Self.fixture(.none)
        let path = try fixture.newest()
        try Damage.flip(path, bit: (128 + 256) * 8)
        let error = #expect(throws: LogError.self) { try fixture.images() }
        #expect(error?.path == path)
        #expect(error?.position == 128 + 12)
        #expect(error?.description.contains("payload checksum 0x") == true)
        #expect(error?.description.contains("\(path): byte 140: ") == true)
    }

    /// A reader that met damage stays where it was, and reads on once the bytes are back.
    @Test func aReaderStaysWhereItWas() throws {
        let fixture = try Self.fixture(.lz4)
        let whole = try fixture.images()
        let path = try fixture.newest()
        try Damage.flip(path, bit: (128 + 128 + 5) * 8)
        var reader = try fixture.topic.reader(partition: 0)
        var seen: [BatchImage] = []
        for _ in 0..<3 {
            do throws(LogError) {
                while let batch = try reader.next() { seen.append(BatchImage(batch)) }
            } catch {
                #expect(error.code == .corrupt)
            }
            #expect(seen == [whole[0]])
            #expect(reader.nextOffset == 40)
        }
        try Damage.flip(path, bit: (128 + 128 + 5) * 8)
        while let batch = try reader.next() { seen.append(BatchImage(batch)) }
        #expect(seen == whole)
    }
}
