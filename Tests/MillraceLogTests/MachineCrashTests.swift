import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// The machine went down: another boot id, and segments that may have lost what was not synced.
@Suite struct MachineCrashTests {
    /// Rows of one writer, 10 to a batch, in one segment, with the byte behind each batch.
    private struct Written {
        let fixture: TopicFixture
        let image: PartitionImage
        let ends: [Int]
        /// The segment up to the published end.
        let used: [UInt8]
        let path: String

        /// Rows in the whole batches that the first `size` bytes of the segment hold.
        ///
        /// With zeros behind them, padding that was cut off is there again.
        func rows(in size: Int, zeros: Bool = false) -> UInt64 {
            UInt64(ends.filter { (zeros ? endOfData($0) : $0) <= size }.count * 10)
        }

        /// The byte behind the last of the first `size` that is not zero.
        private func endOfData(_ size: Int) -> Int {
            (used[..<size].lastIndex { $0 != 0 } ?? 0) + 1
        }

        /// Bytes of a torn tail: from the last whole batch to the last byte that is not zero.
        func torn(in size: Int, zeros: Bool) -> Int {
            let kept = Int(rows(in: size, zeros: zeros) / 10)
            return max(0, endOfData(size) - (kept > 0 ? ends[kept - 1] : 128))
        }
    }

    private static func written(batches: Int, codec: Codec = .none) throws -> Written {
        let fixture = try TopicFixture(codec: codec, inMemory: true)
        var ends: [Int] = []
        do {
            var writer = try fixture.topic.writer(partition: 0)
            for _ in 0..<batches {
                try Rows.append(10, to: &writer)
                ends.append(try fixture.usedBytes())
            }
        }
        try fixture.pretendMachineRestarted()
        return Written(
            fixture: fixture, image: try PartitionImage(fixture), ends: ends,
            used: try fixture.usedContent(), path: try fixture.newest())
    }

    /// Cut off, or with zeros where the rest was, as a file that was allocated ahead has.
    @Test(arguments: Codec.allCases, [false, true])
    func everyTornTail(_ codec: Codec, zeros: Bool) throws {
        let written = try Self.written(batches: 4, codec: codec)
        let fixture = written.fixture
        let whole = written.used
        let sizes =
            Array(stride(from: 0, through: whole.count, by: 41))
            + written.ends.flatMap { [$0 - 1, $0, $0 + 1] }.filter { $0 <= whole.count } + [
                127, 128,
            ]
        for size in sizes {
            let kept = written.rows(in: size, zeros: zeros)
            let bytes = Array(whole[..<size])
            let rest = [UInt8](repeating: 0, count: zeros ? 9_000 : 0)
            try written.image.restore()
            try Damage.overwrite(written.path, with: bytes + rest)
            // A header that is cut off or zero in part is damaged when something follows it.
            if zeros, (1..<128).contains(size), !bytes.allSatisfy({ $0 == 0 }) { continue }
            do {
                var writer = try fixture.topic.writer(partition: 0)
                let torn = size < 128 ? 0 : written.torn(in: size, zeros: zeros)
                #expect(writer.tornBytes == torn, "\(size) bytes")
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

    /// Any batch that was not synced may be the torn one; what follows it is dropped too.
    @Test func everyByteOfTheNewestSegmentsBatches() throws {
        let written = try Self.written(batches: 3)
        let fixture = written.fixture
        let whole = written.used
        for byte in stride(from: 128, to: whole.count, by: 13) {
            var damaged = whole
            damaged[byte] ^= 0x10
            try written.image.restore()
            try FileHandle(written.path, .readWrite).write(damaged, at: 0)
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
    /// crash appends nothing, nor when it was a reader that recovered.
    @Test(arguments: [false, true])
    func lostOffsetsStayUnused(reading: Bool) throws {
        let written = try Self.written(batches: 4)
        let fixture = written.fixture
        try Damage.truncate(written.path, to: written.ends[1] + 5)
        let resumed = PartitionWriter.offsetReserve
        if reading { #expect(try fixture.images().flatMap(\.values).count == 20) }
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
            #expect(reader.nextOffset == resumed)
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
            try Damage.truncate(fixture.newest(), to: fixture.usedBytes() - 1 - round * 20)
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

    /// The page does not know what was durable; a later batch does: the damage is no torn tail.
    @Test func aLaterBatchTellsWhatWasDurable() throws {
        let fixture = try TopicFixture(flush: .batch)
        var control: [UInt8] = []
        var ends: [Int] = []
        do {
            var writer = try fixture.topic.writer(partition: 0)
            control = try Damage.content(fixture.controlPath)
            for _ in 0..<3 {
                try Rows.append(10, to: &writer)
                ends.append(try fixture.usedBytes())
            }
        }
        let data = try fixture.usedContent().lastIndex { $0 != 0 } ?? 0
        try FileHandle(fixture.controlPath, .readWrite).write(control, at: 0)
        let words = try fixture.control()
        words.clean.storeReleasing(ControlPage.written)
        try fixture.pretendMachineRestarted()
        let image = try PartitionImage(fixture)
        // The header of the second batch, which the third says was durable.
        try Damage.flip(fixture.newest(), bit: (ends[0] + 40) * 8)
        let refused = logErrorCode { () throws(LogError) in
            _ = try fixture.topic.writer(partition: 0)
        }
        #expect(refused == .corrupt)
        #expect(try image.isUnchanged(but: 1))
        // Of the third nobody says so.
        try image.restore()
        try Damage.flip(fixture.newest(), bit: (ends[1] + 40) * 8)
        #expect(try fixture.topic.writer(partition: 0).tornBytes == data + 1 - ends[1])
        var reader = try fixture.topic.reader(partition: 0)
        #expect(try Rows.offsets(&reader) == Array(0..<20))
    }

    /// Damage below the durable position refuses, and nothing is written.
    @Test func damageToDurableRowsIsRefused() throws {
        let fixture = try TopicFixture(inMemory: true)
        var boundary = 0
        do {
            var writer = try fixture.topic.writer(partition: 0)
            for segment in 0..<3 {
                if segment > 0 { try writer.closeSegment() }
                for batch in 0..<3 {
                    try Rows.append(10, to: &writer)
                    if segment == 1, batch == 1 { boundary = try fixture.usedBytes() }
                }
                if segment == 1 { try writer.flush() }
            }
        }
        try fixture.pretendMachineRestarted()
        let image = try PartitionImage(fixture)
        func refusal() throws -> LogError.Code? {
            let code = logErrorCode { () throws(LogError) in
                _ = try fixture.topic.writer(partition: 0)
            }
            if code != nil { #expect(try image.isUnchanged(but: 1)) }
            return code
        }
        let paths = try fixture.segments()
        #expect(paths.count == 3)
        for path in paths.dropLast() {
            let whole = try Damage.content(path)
            for byte in stride(from: 0, to: whole.count, by: 11) {
                try Damage.flip(path, bit: byte * 8)
                // What a recovery does not look at is found when it is read; padding is harmless.
                let code =
                    try refusal()
                    ?? logErrorCode { () throws(LogError) in
                        _ = try fixture.images()
                    }
                if code == nil {
                    var reader = try fixture.topic.reader(partition: 0)
                    #expect(try Rows.offsets(&reader)?.count == 90, "byte \(byte) of \(path)")
                } else {
                    #expect(code == .corrupt || code == .unsupportedFormat)
                }
                try image.restore()
            }
        }
        // Cut where a batch ends: every batch left is intact, and yet rows are missing.
        try Damage.truncate(paths[1], to: boundary)
        #expect(try refusal() == .corrupt)
        try image.restore()
        for path in paths.dropLast() {
            for size in [0, 50, 128] {
                try Damage.truncate(path, to: size)
                let code =
                    try refusal()
                    ?? logErrorCode { () throws(LogError) in
                        _ = try fixture.images()
                    }
                #expect(code == .corrupt, "\(size) bytes of \(path)")
                try image.restore()
            }
        }
        #expect(try fixture.topic.writer(partition: 0).tornBytes == 0)
    }

    /// Segments that are gone as a whole, or whose header never reached the disk.
    @Test(arguments: FlushChoice.allCases, [true, false])
    func missingSegments(_ choice: FlushChoice, restarted: Bool) throws {
        let fixture = try TopicFixture(flush: choice.policy)
        do {
            var writer = try fixture.topic.writer(partition: 0)
            for segment in 0..<3 {
                if segment > 0 { try writer.closeSegment() }
                try Rows.append(10, to: &writer)
            }
        }
        if restarted { try fixture.pretendMachineRestarted() }
        let image = try PartitionImage(fixture)
        for (number, path) in try fixture.segments().enumerated() {
            for size in [nil, 0, 127] as [Int?] {
                if let size {
                    try Damage.truncate(path, to: size)
                } else {
                    try Files.remove(path)
                }
                var seen: [UInt64]? = []
                let code = logErrorCode { () throws(LogError) in
                    var reader = try fixture.topic.reader(partition: 0)
                    seen = try Rows.offsets(&reader)
                }
                // Never synced, and lost with all that follows: a torn tail.
                let isTorn = restarted && choice == .none && code == nil
                if isTorn {
                    #expect(seen == Array(0..<UInt64(10 * number)))
                } else {
                    #expect(code == .corrupt, "segment \(number), \(size ?? -1) bytes")
                }
                try image.restore()
            }
        }
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

/// The flush policies that tests tell apart.
enum FlushChoice: String, CaseIterable, Sendable {
    case none, batch

    var policy: FlushPolicy { self == .none ? .none : .batch }
}
