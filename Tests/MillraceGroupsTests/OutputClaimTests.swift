import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Testing

@Suite("Output claims")
struct OutputClaimTests {
    private let directory: TemporaryDirectory
    private let output: Topic

    init() throws {
        directory = try TemporaryDirectory("millrace-claims")
        output = try DataDirectory(directory.path, create: true).topic(
            "out", creating: TopicConfiguration(kind: .bytes))
    }

    private func claim(_ generation: UInt32, start: UInt64 = 0, isReset: Bool = false)
        -> OutputClaim
    {
        OutputClaim(
            group: "group:g", source: "topic:in#1", sourcePartition: 0, generation: generation,
            start: start, isReset: isReset)
    }

    /// Appends one row that is made of source rows `begin ..< end`.
    private static func append(
        _ writer: inout PartitionWriter, _ topic: Topic, _ generation: UInt32, _ begin: UInt64,
        _ end: UInt64
    ) throws(LogError) {
        var builder = BatchBuilder()
        builder.append(value: "\(generation): \(begin) to \(end)".utf8)
        var origin = BatchOrigin()
        origin.group = try topic.dictionaryID(of: "group:g")
        origin.source = try topic.dictionaryID(of: "topic:in#1")
        origin.generation = generation
        origin.begin = begin
        origin.end = end
        builder.origin = origin
        try writer.append(&builder)
    }

    private func ranges() throws -> [String] {
        var ranges: [String] = []
        var reader = try output.reader(partition: 0)
        while let batch = try reader.next() {
            for row in 0..<batch.rows {
                let value = batch.value(row)
                ranges.append(String(decoding: value.indices.map { value[$0] }, as: UTF8.self))
            }
        }
        return ranges
    }

    @Test("A later owner goes on where the earlier one got to, and shuts it out")
    func succession() throws {
        var first = try output.writer(partition: 0, claim: claim(3, start: 7))
        #expect(first.claimedEnd == 7)
        try Self.append(&first, output, 3, 7, 10)
        var second = try output.writer(partition: 0, claim: claim(5))
        #expect(second.claimedEnd == 10)
        let refused = #expect(throws: LogError.self) {
            try Self.append(&first, output, 3, 10, 12)
        }
        #expect(refused?.code == .fenced)
        try Self.append(&second, output, 5, 10, 11)
        // Not even to come back.
        let late = #expect(throws: LogError.self) {
            _ = try output.writer(partition: 0, claim: claim(3))
        }
        #expect(late?.code == .fenced)
        #expect(try ranges() == ["3: 7 to 10", "5: 10 to 11"])
    }

    @Test("Rows that have an outcome do not get another, even from the owner")
    func noRowTwice() throws {
        var writer = try output.writer(partition: 0, claim: claim(1))
        try Self.append(&writer, output, 1, 0, 4)
        let refused = #expect(throws: LogError.self) {
            try Self.append(&writer, output, 1, 3, 6)
        }
        #expect(refused?.code == .invalidArgument)
        try Self.append(&writer, output, 1, 6, 8)
        #expect(try ranges() == ["1: 0 to 4", "1: 6 to 8"])
    }

    @Test(
        "Without a contest nothing is appended before there are rows; then the others are shut out")
    func uncontested() throws {
        func quiet(_ generation: UInt32) -> OutputClaim {
            var claim = claim(generation)
            claim.isContested = false
            return claim
        }
        var first = try output.writer(partition: 0, claim: quiet(1))
        try Self.append(&first, output, 1, 0, 2)
        let bytes = try output.status(partition: 0).bytes
        var second = try output.writer(partition: 0, claim: quiet(2))
        var third = try output.writer(partition: 0, claim: quiet(3))
        #expect(try output.status(partition: 0).bytes == bytes)
        #expect(second.claimedEnd == 2 && third.claimedEnd == 2)
        // Who looked before another appended has learnt a tail that is none any more.
        try Self.append(&first, output, 1, 2, 3)
        for attempt in 0..<2 {
            let error = #expect(throws: LogError.self, "\(attempt)") {
                try Self.append(&second, output, 2, 2, 3)
            }
            #expect(error?.code == .fenced)
        }
        third = try output.writer(partition: 0, claim: quiet(3))
        #expect(third.claimedEnd == 3)
        try Self.append(&third, output, 3, 3, 4)
        let late = #expect(throws: LogError.self) { try Self.append(&first, output, 1, 4, 5) }
        #expect(late?.code == .fenced)
        let opened = #expect(throws: LogError.self) {
            _ = try output.writer(partition: 0, claim: quiet(2))
        }
        #expect(opened?.code == .fenced)
        #expect(try ranges() == ["1: 0 to 2", "1: 2 to 3", "3: 3 to 4"])
    }

    @Test("A reset goes on elsewhere, also backwards")
    func reset() throws {
        var writer = try output.writer(partition: 0, claim: claim(1))
        try Self.append(&writer, output, 1, 0, 9)
        let reset = try output.writer(partition: 0, claim: claim(2, start: 4, isReset: true))
        #expect(reset.claimedEnd == 4)
        let last = try output.lastOrigin(
            partition: 0, source: "topic:in#1", sourcePartition: 0, group: "group:g")
        #expect(last?.origin.end == 4)
        #expect(try output.writer(partition: 0, claim: claim(3)).claimedEnd == 4)
    }

    @Test("Claims of other groups, sources and partitions do not meet")
    func others() throws {
        var first = try output.writer(partition: 0, claim: claim(3))
        var other = claim(9)
        other.sourcePartition = 1
        _ = try output.writer(partition: 0, claim: other)
        other = claim(9)
        other.group = "group:h"
        _ = try output.writer(partition: 0, claim: other)
        try Self.append(&first, output, 3, 0, 1)
        #expect(try ranges() == ["3: 0 to 1"])
    }

    @Test("The claim is found in earlier segments")
    func segments() throws {
        let small = try DataDirectory(directory.path, create: false).topic(
            "small", creating: TopicConfiguration(kind: .bytes, segmentBytes: 1 << 16))
        var writer = try small.writer(partition: 0, claim: claim(1))
        try Self.append(&writer, small, 1, 0, 5)
        var plain = try small.writer(partition: 0)
        for _ in 0..<200 {
            var builder = BatchBuilder()
            builder.append(value: String(repeating: "x", count: 2000).utf8)
            try plain.append(&builder)
        }
        #expect(try small.writer(partition: 0, claim: claim(2)).claimedEnd == 5)
    }

    /// Sees mappings from their beginning, so that stores into them can be stopped later.
    private final class Bystander: DiskObserver {}

    @Test("An owner that is stopped between its check and its write is refused when it wakes")
    func stoppedInTheMiddle() throws {
        let bystander = Bystander()
        DiskObservation.install(bystander, on: directory.path)
        defer { DiskObservation.remove(bystander) }
        var first = try output.writer(partition: 0, claim: claim(1))
        try Self.append(&first, output, 1, 0, 3)
        let published = 64
        let point = StopPoint.atStore { $0.hasSuffix("control") && $1 == published }
        DiskObservation.install(point, on: directory.path)
        let code = Lock<String>("none")
        let slot = Lock<PartitionWriter?>(consume first)
        let topic = output
        let box = Box(slot)
        let thread = try PinnedThread(name: "stopped", core: nil) {
            box.slot.withLock { slot in
                guard var writer = slot.take() else { return }
                do throws(LogError) { try Self.append(&writer, topic, 1, 3, 6) } catch {
                    code.withLock { $0 = error.code.description }
                }
            }
        }
        point.waitUntilReached()
        // It has looked at everything and is about to publish; now another takes over.
        var second = try output.writer(partition: 0, claim: claim(2))
        #expect(second.claimedEnd == 3)
        try Self.append(&second, output, 2, 3, 5)
        point.release()
        thread.join()
        DiskObservation.remove(point)
        #expect(code.withLock { $0 } == "fenced")
        #expect(try ranges() == ["1: 0 to 3", "2: 3 to 5"])
    }

    private final class Box: Sendable {
        let slot: Lock<PartitionWriter?>
        init(_ slot: consuming Lock<PartitionWriter?>) { self.slot = slot }
    }
}
