import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Rows that are appended from where the caller has them.
@Suite struct RawAppendTests {
    /// What a batch has beside its matrix.
    private struct Extras {
        var labels: [Float]
        var timestamps: [Int64]
        var keys: [[UInt8]?]

        init(rows: Int, _ random: inout SplitMix64) {
            func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
            labels = (0..<rows).map { _ in Float(below(10)) }
            timestamps = below(2) == 0 ? [] : (0..<rows).map { _ in Int64(below(1 << 40)) }
            keys =
                below(2) == 0
                ? []
                : (0..<rows).map { _ in
                    below(3) == 0 ? nil : [UInt8](repeating: 6, count: below(9))
                }
        }

        func add(to builder: inout BatchBuilder) {
            builder.timestamp = 7
            for label in labels { builder.addLabel(label) }
            for timestamp in timestamps { builder.addTimestamp(timestamp) }
            for key in keys {
                if let key { builder.addKey(key.span) } else { builder.addKey(nil) }
            }
        }
    }

    @Test(arguments: [AppendMode.write, .mapped], Codec.allCases)
    func areWhatCopiedRowsAre(_ mode: AppendMode, _ codec: Codec) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("raw append seed \(seed)")
        var random = SplitMix64(seed: seed)
        for columns in [1, 7, 16, 64] {
            let fixture = try TopicFixture(
                .features, features: columns, label: true, codec: codec)
            var writer = try fixture.topic.writer(partition: 0, mode: mode)
            var builder = BatchBuilder(columns: columns)
            for _ in 0..<20 {
                let count = 1 + Int(random.next() % 200)
                let rows = (0..<count * columns).map { _ in Float(random.next() % 1000) * 0.3 }
                let extras = Extras(rows: count, &random)
                extras.add(to: &builder)
                unsafe builder.append(rawRows: rows.span.bytes, count: count)
                try writer.append(&builder)
                extras.add(to: &builder)
                unsafe try writer.append(
                    rawRows: rows.span.bytes, count: count, with: &builder)
                #expect(builder.rows == 0 && builder.byteCount == 0)
            }
            var reader = try fixture.topic.reader(partition: 0)
            var copied: (image: BatchImage, details: RowDetails)?
            var pairs = 0
            while let batch = try reader.next() {
                let details = RowDetails(batch)
                guard let before = copied else {
                    copied = (BatchImage(batch), details)
                    continue
                }
                copied = nil
                pairs += 1
                let image = BatchImage(batch)
                #expect(image.matrix == before.image.matrix, "seed \(seed)")
                #expect(image.labels == before.image.labels, "seed \(seed)")
                #expect(details.keys == before.details.keys, "seed \(seed)")
                #expect(details.timestamps == before.details.timestamps, "seed \(seed)")
                #expect(image.timestamps[0] == before.image.timestamps[0], "seed \(seed)")
            }
            #expect(pairs == 20)
            let data = try DataDirectory(fixture.directory.path, create: false)
            #expect(try data.verifyTopic("rows").faults == [])
        }
    }

    /// Batches that are larger than the memory that a builder begins with.
    @Test(arguments: [false, true])
    func largeBatches(labels: Bool) throws {
        let fixture = try TopicFixture(.features, features: 64, label: true)
        var writer = try fixture.topic.writer(partition: 0)
        let rows = (0..<1024 * 64).map { Float($0) * 0.25 }
        var builder = BatchBuilder(columns: 64)
        for _ in 0..<3 {
            if labels { for row in 0..<1024 { builder.addLabel(Float(row)) } }
            unsafe try writer.append(rawRows: rows.span.bytes, count: 1024, with: &builder)
        }
        let images = try fixture.images()
        #expect(images.map(\.matrix) == Array(repeating: rows.map(\.bitPattern), count: 3))
        let expected = labels ? (0..<1024).map { Float($0).bitPattern } : []
        #expect(images.map(\.labels) == Array(repeating: expected, count: 3))
        let data = try DataDirectory(fixture.directory.path, create: false)
        #expect(try data.verifyTopic("rows").faults == [])
    }

    /// Rows of a type that the topic narrows, and rows that are narrow already.
    @Test func narrowTypes() throws {
        let directory = try TemporaryDirectory("millrace-log")
        let topic = try DataDirectory(directory.path, create: true).topic(
            "rows",
            creating: TopicConfiguration(
                kind: .features, features: 3, codec: .none, elementType: .uint8, scale: 2,
                zeroPoint: 10))
        var writer = try topic.writer(partition: 0)
        let floats: [Float] = [-20, 0, 490]
        var wide = BatchBuilder(columns: 3)
        unsafe try writer.append(rawRows: floats.span.bytes, count: 1, with: &wide)
        let bytes: [UInt8] = [0, 10, 255]
        var narrow = BatchBuilder(columns: 3, elementType: .uint8)
        unsafe try writer.append(rawRows: bytes.span.bytes, count: 1, with: &narrow)
        var wrong = BatchBuilder(columns: 3, elementType: .int8)
        #expect(
            logErrorCode { () throws(LogError) in
                unsafe try writer.append(rawRows: bytes.span.bytes, count: 1, with: &wrong)
            } == .invalidArgument)
        #expect(wrong.rows == 1)

        var reader = try topic.reader(partition: 0)
        var batches = 0
        while let batch = try reader.next() {
            var found = [Float](repeating: 0, count: 3)
            var target = found.mutableSpan
            batch.widen(rows: 0..<1, into: &target)
            #expect(found == floats)
            batches += 1
        }
        #expect(batches == 2)
    }

    /// Whichever write fails, the rows are there once, and the builder is as it was until they are.
    @Test(arguments: [
        FaultPlan.Fault.error(EIO), .error(ENOSPC), .error(EINTR), .short(by: 1), .short(by: 300),
    ])
    func whenAWriteFails(_ fault: FaultPlan.Fault) throws {
        let rows = (0..<21).map { Float($0) * 0.7 }
        for number in 1...100 {
            let fixture = try TopicFixture(.features, features: 7, label: true)
            let plan = FaultPlan(at: number, fault, kinds: [.write])
            var writer = try fixture.topic.writer(partition: 0)
            var failures = 0
            try plan.run(on: fixture.directory.path) {
                var builder = BatchBuilder(columns: 7)
                for batch in 0..<3 {
                    for row in 0..<3 { builder.addLabel(Float(batch * 3 + row)) }
                    do throws(LogError) {
                        unsafe try writer.append(
                            rawRows: rows.span.bytes, count: 3, with: &builder)
                    } catch {
                        failures += 1
                        #expect(error.code == .system && builder.rows == 3)
                        unsafe try writer.append(
                            rawRows: rows.span.bytes, count: 3, with: &builder)
                    }
                }
            }
            let images = try fixture.images()
            #expect(images.map(\.matrix) == Array(repeating: rows.map(\.bitPattern), count: 3))
            #expect(
                images.map(\.labels)
                    == (0..<3).map { batch in (0..<3).map { Float(batch * 3 + $0).bitPattern } })
            if plan.struck.isEmpty {
                // The segment's header, those of its index, and three batches.
                #expect(number > 5)
                return
            }
            // Nobody waits for an index, and what is cut short or interrupted is gone on with.
            let isHeard = plan.struck.contains { !$0.path.hasSuffix(".index") }
            #expect(failures == (isHeard && [.error(EIO), .error(ENOSPC)].contains(fault) ? 1 : 0))
        }
        Issue.record("the faults had no end")
    }
}
