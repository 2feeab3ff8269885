import MillraceSystem
import Testing

@testable import MillraceLog

/// The machine went down: another boot id, and a newest segment that may have lost its end.
@Suite struct MachineCrashTests {
    /// One writer's rows, 10 to a batch, with the log position and the offset behind each batch.
    private struct Written {
        let fixture: TopicFixture
        let ends: [Int]

        /// Rows that `size` bytes of the newest segment hold in whole batches.
        func rows(in size: Int) -> UInt64 {
            UInt64(ends.filter { $0 <= size }.count * 10)
        }
    }

    private static func written(batches: Int, codec: Codec = .none) throws -> Written {
        let fixture = try TopicFixture(codec: codec)
        var writer = try fixture.topic.writer(partition: 0)
        var ends: [Int] = []
        for _ in 0..<batches {
            try Rows.append(10, to: &writer)
            ends.append(try Files.size(fixture.newest()))
        }
        return Written(fixture: fixture, ends: ends)
    }

    /// Puts everything back as it was before the writers that came after.
    private static func restore(
        _ fixture: TopicFixture, control: [UInt8], segment: (path: String, bytes: [UInt8])
    ) throws {
        for path in try Files.list(fixture.partitionPath) where path.hasSuffix(".log") {
            try Files.remove(fixture.partitionPath + "/" + path)
        }
        try Files.writeDurably(segment.path, segment.bytes)
        try FileHandle(fixture.controlPath, .readWrite).write(control, at: 0)
    }

    @Test(arguments: Codec.allCases)
    func everyTornTail(_ codec: Codec) throws {
        let written = try Self.written(batches: 4, codec: codec)
        let fixture = written.fixture
        try fixture.pretendMachineRestarted()
        let control = try Damage.content(fixture.controlPath)
        let path = try fixture.newest()
        let whole = try Damage.content(path)
        let sizes =
            Array(stride(from: 0, through: whole.count, by: 41))
            + written.ends.flatMap { [$0 - 1, $0, $0 + 1] }.filter { $0 <= whole.count } + [
                127, 128,
            ]
        for size in sizes {
            try Self.restore(fixture, control: control, segment: (path, Array(whole[..<size])))
            let kept = written.rows(in: size)
            do {
                var writer = try fixture.topic.writer(partition: 0)
                let lastEnd = written.ends.last { $0 <= size } ?? min(size, 128)
                #expect(writer.tornBytes == (size < 128 ? 0 : size - lastEnd), "\(size) bytes")
                #expect(writer.nextOffset == PartitionWriter.offsetReserve, "\(size) bytes")
                try Rows.append(3, to: &writer)
            }
            var reader = try fixture.topic.reader(partition: 0)
            let seen = try #require(try Rows.offsets(&reader))
            let resumed = PartitionWriter.offsetReserve
            #expect(seen == Array(0..<kept) + Array(resumed..<resumed + 3), "\(size) bytes")
            // The crash is over: the next writer finds an ordinary log.
            let next = try fixture.topic.writer(partition: 0)
            #expect(next.tornBytes == 0)
            #expect(next.nextOffset == resumed + 3)
        }
    }

    /// Any batch of the newest segment may be the torn one; what follows it is dropped too.
    @Test func everyByteOfTheNewestSegmentsBatches() throws {
        let written = try Self.written(batches: 3)
        let fixture = written.fixture
        try fixture.pretendMachineRestarted()
        let control = try Damage.content(fixture.controlPath)
        let path = try fixture.newest()
        let whole = try Damage.content(path)
        for byte in stride(from: 128, to: whole.count, by: 13) {
            var damaged = whole
            damaged[byte] ^= 0x10
            try Self.restore(fixture, control: control, segment: (path, damaged))
            do {
                var writer = try fixture.topic.writer(partition: 0)
                try Rows.append(1, to: &writer)
            }
            var reader = try fixture.topic.reader(partition: 0)
            let seen = try #require(try Rows.offsets(&reader), "byte \(byte)")
            let kept = seen.count - 1
            // Padding may change without harm; otherwise the rows before the damage are left.
            let intact = Int(written.rows(in: byte))
            #expect(kept == intact || kept == 30, "byte \(byte)")
            #expect(seen.prefix(kept).elementsEqual(0..<UInt64(kept)))
        }
    }

    /// Offsets that were lost are not given to other rows, even when the first writer after the
    /// crash appends nothing.
    @Test func lostOffsetsStayUnused() throws {
        let written = try Self.written(batches: 4)
        let fixture = written.fixture
        let path = try fixture.newest()
        try Damage.truncate(path, to: written.ends[1] + 5)
        try fixture.pretendMachineRestarted()
        let resumed = PartitionWriter.offsetReserve
        for closing in [false, true, false] {
            let writer = try fixture.topic.writer(partition: 0)
            #expect(writer.nextOffset == resumed)
            if closing { try writer.close() }
        }
        #expect(try fixture.topic.endOffset(partition: 0) == resumed)
        // Whoever remembers a lost offset, or the end, can still go there.
        for offset in [20, 21, 39, resumed] {
            var reader = try fixture.topic.reader(partition: 0, from: offset)
            #expect(try Rows.offsets(&reader) == [])
            #expect(reader.nextOffset == offset)
        }
        #expect(
            logErrorCode { () throws(LogError) in
                _ = try fixture.topic.reader(partition: 0, from: resumed + 1)
            } == .offsetOutOfRange)
        var waiting = try fixture.topic.reader(partition: 0, from: 25)
        do {
            var writer = try fixture.topic.writer(partition: 0)
            try Rows.append(4, to: &writer)
        }
        #expect(try Rows.offsets(&waiting) == Array(resumed..<resumed + 4))
        for offset in [20, 25, resumed, resumed + 2] {
            var reader = try fixture.topic.reader(partition: 0, from: offset)
            let expected = Array(max(offset, resumed)..<resumed + 4)
            #expect(try Rows.offsets(&reader) == expected)
        }
    }

    /// Several crashes, each with a torn tail: every epoch's intact rows stay.
    @Test func crashAfterCrash() throws {
        let fixture = try TopicFixture()
        var expected: [UInt64] = []
        for round in 0..<4 {
            do {
                var writer = try fixture.topic.writer(partition: 0)
                let first = writer.nextOffset
                for _ in 0..<3 { try Rows.append(5, to: &writer) }
                expected += Array(first..<first + 10)
            }
            let path = try fixture.newest()
            try Damage.truncate(path, to: Files.size(path) - 1 - round * 20)
            try fixture.pretendMachineRestarted()
        }
        let writer = try fixture.topic.writer(partition: 0)
        #expect(writer.tornBytes > 0)
        #expect(writer.nextOffset == 4 * PartitionWriter.offsetReserve)
        var reader = try fixture.topic.reader(partition: 0)
        #expect(try Rows.offsets(&reader) == expected)
    }

    /// Rows that were written but not yet published when the machine went down may come back;
    /// a page that is older than the segments is believed over nothing.
    @Test func anOlderControlPage() throws {
        let fixture = try TopicFixture()
        var control: [UInt8] = []
        do {
            var writer = try fixture.topic.writer(partition: 0)
            try Rows.append(10, to: &writer)
            control = try Damage.content(fixture.controlPath)
            try Rows.append(10, to: &writer)
        }
        try FileHandle(fixture.controlPath, .readWrite).write(control, at: 0)
        try fixture.pretendMachineRestarted()
        #expect(try fixture.topic.writer(partition: 0).tornBytes == 0)
        var reader = try fixture.topic.reader(partition: 0)
        #expect(try Rows.offsets(&reader) == Array(0..<20))
    }

    /// Only the newest segment can be torn: damage before it refuses, and nothing is written.
    @Test func damageToAnOlderSegmentIsRefused() throws {
        let fixture = try TopicFixture()
        var boundary = 0
        for _ in 0..<3 {
            var writer = try fixture.topic.writer(partition: 0)
            for batch in 0..<3 {
                try Rows.append(10, to: &writer)
                if batch == 1 { boundary = try Files.size(fixture.newest()) }
            }
        }
        try fixture.pretendMachineRestarted()
        let control = try Damage.content(fixture.controlPath)
        let paths = try fixture.segments()
        func check(_ what: String) throws {
            let names = try Files.list(fixture.partitionPath)
            let code = logErrorCode { () throws(LogError) in
                _ = try fixture.topic.writer(partition: 0)
            }
            #expect(code == .corrupt || code == .unsupportedFormat, "\(what)")
            #expect(try Damage.content(fixture.controlPath) == control)
            #expect(try Files.list(fixture.partitionPath) == names)
        }
        for path in paths.dropLast() {
            let whole = try Damage.content(path)
            for byte in stride(from: 0, to: whole.count, by: 11) {
                try Damage.flip(path, bit: byte * 8)
                let isSeen = logErrorCode { () throws(LogError) in _ = try fixture.images() } != nil
                if isSeen { try check("byte \(byte) of \(path)") }
                try Damage.flip(path, bit: byte * 8)
            }
        }
        // Cut where a batch ends: every batch left is intact, and yet rows are missing.
        let middle = paths[1]
        let whole = try Damage.content(middle)
        try Damage.overwrite(middle, with: Array(whole[..<min(boundary, whole.count)]))
        try check("a cut between batches")
        try Damage.overwrite(middle, with: whole)
        try Files.remove(middle)
        try check("a missing segment")
        try Files.writeDurably(middle, whole)
        #expect(try fixture.topic.writer(partition: 0).tornBytes == 0)
    }

    /// After a clean stop nothing can be torn, whatever the boot id says.
    @Test func aCleanStopNeedsNoRecovery() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        for _ in 0..<3 { try Rows.append(10, to: &writer) }
        try writer.close()
        try fixture.pretendMachineRestarted()
        do {
            let next = try fixture.topic.writer(partition: 0)
            #expect(next.nextOffset == 30)
            #expect(next.tornBytes == 0)
            try next.close()
        }
        try fixture.pretendMachineRestarted()
        let path = try fixture.newest()
        try Damage.truncate(path, to: Files.size(path) - 1)
        #expect(
            logErrorCode { () throws(LogError) in _ = try fixture.topic.writer(partition: 0) }
                == .corrupt)
    }
}
