import Glibc
import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Testing

import MillraceGroups

@Suite("Batches as a sequence")
struct GroupBatchesTests {
    private let core = CPU.allowed()[0]

    @Test("Every batch comes once and in order, and is committed")
    func everyBatch() async throws {
        let fixture = try GroupFixture(partitions: 3)
        try fixture.append(batches: 5)
        let group = try fixture.group(cores: [core])
        var seen: [Int: [UInt64]] = [:]
        for try await batch in group.batches(until: .atEnd) {
            #expect(batch.rows == 1 && batch.columns == 0 && batch.core == core)
            let text = String(decoding: batch.values[0], as: UTF8.self)
            #expect(text == "\(batch.partition.partition): \(batch.baseOffset)")
            #expect(batch.timestamps[0] > 0)
            seen[batch.partition.partition, default: []].append(batch.baseOffset)
        }
        #expect(seen == [0: [0, 1, 2, 3, 4], 1: [0, 1, 2, 3, 4], 2: [0, 1, 2, 3, 4]])
        for number in 0..<3 { #expect(try group.committed(fixture.partition(number)) == 5) }
        #expect(try fixture.catalog.describe("g").state == .empty)
    }

    @Test("Features, labels and keys are copied as they are; rows before the start are left out")
    func features() async throws {
        let fixture = try GroupFixture(partitions: 1)
        let topic = try fixture.data.topic(
            "features",
            creating: TopicConfiguration(
                kind: .features, features: 3, label: true, elementType: .float16))
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: 3)
        for row in 0..<4 {
            var target = builder.nextRow()
            for column in 0..<3 { target[column] = Float(row * 3 + column) }
            let key = Array("k\(row)".utf8)
            if row == 2 {
                builder.commitRow(label: Float(row))
            } else {
                builder.commitRow(label: Float(row), key: key.span)
            }
        }
        try writer.append(&builder)
        let group = try ConsumerGroup(data: fixture.data, name: "g", topics: [topic], cores: [core])
        var batches: [ConsumedBatch] = []
        for try await batch in group.batches(until: .atEnd, from: .offset(1)) {
            batches.append(batch)
        }
        let batch = try #require(batches.first)
        #expect(batches.count == 1)
        #expect(batch.baseOffset == 1 && batch.rows == 3 && batch.endOffset == 4)
        #expect(batch.features == (3..<12).map(Float.init))
        #expect(batch.labels == [1, 2, 3])
        #expect(batch.keys == [Array("k1".utf8), nil, Array("k3".utf8)])
        #expect(batch.values == [])
    }

    @Test("One batch of each core is in flight: who does not ask is not read for")
    func bounded() async throws {
        let fixture = try GroupFixture(partitions: 2)
        try fixture.append(batches: 10)
        let group = try fixture.group(cores: [core])
        var batches = group.batches(until: .atEnd).makeAsyncIterator()
        var expected: UInt64 = 0
        while let batch = try await batches.next() {
            _ = batch
            try await Task.sleep(nanoseconds: 3_000_000)
            // What is in hand is not committed, and nothing behind it has been.
            var committed: UInt64 = 0
            for number in 0..<2 {
                committed += try group.committed(fixture.partition(number)) ?? 0
            }
            #expect(committed == expected)
            expected += 1
        }
        #expect(expected == 20)
    }

    @Test("Leaving the loop leaves the group, and what was in hand comes again")
    func leaving() async throws {
        let fixture = try GroupFixture(partitions: 1)
        try fixture.append(batches: 6)
        let group = try fixture.group(cores: [core])
        for try await batch in group.batches(until: .whenDrained) where batch.baseOffset == 2 {
            break
        }
        struct Refusal: Error {}
        var again: [UInt64] = []
        do {
            for try await batch in group.batches(until: .whenDrained) {
                again.append(batch.baseOffset)
                if again.count == 2 { throw Refusal() }
            }
        } catch is Refusal {}
        #expect(again == [2, 3])
        var rest: [UInt64] = []
        for try await batch in group.batches(until: .atEnd) { rest.append(batch.baseOffset) }
        #expect(rest == [3, 4, 5])
    }

    @Test("A cancelled task ends, wherever it waits")
    func cancelled() async throws {
        let fixture = try GroupFixture(partitions: 1)
        try fixture.append(batches: 2)
        let group = try fixture.group(cores: [core])
        let seen = Lock(0)
        let task = Task {
            for try await _ in group.batches(until: .whenDrained) { seen.withLock { $0 += 1 } }
            // The group has been left when the loop is.
            return try fixture.catalog.describe("g").state
        }
        while seen.withLock({ $0 }) < 2 { try await Task.sleep(nanoseconds: 1_000_000) }
        task.cancel()
        #expect(try await task.value == .empty)
        let early = Task { [group] in
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            for try await _ in group.batches(until: .whenDrained) { return false }
            return true
        }
        #expect(try await early.value)
    }

    @Test("Draining ends the sequence behind the batch in hand")
    func draining() async throws {
        let fixture = try GroupFixture(partitions: 1)
        try fixture.append(batches: 5)
        let group = try fixture.group(cores: [core])
        var seen: [UInt64] = []
        for try await batch in group.batches(until: .whenDrained) {
            seen.append(batch.baseOffset)
            if batch.baseOffset == 1 { group.drain() }
        }
        #expect(seen == [0, 1])
        #expect(try group.committed(fixture.partition(0)) == 2)
    }

    @Test("An error of the log ends the sequence")
    func errors() async throws {
        let fixture = try GroupFixture(partitions: 1)
        try fixture.append(batches: 2)
        let group = try fixture.group(cores: [core])
        let refuse = FaultPlan(at: 1, .error(EIO), .forever, kinds: [.map]) {
            $0.path.contains("/topics/")
        }
        DiskObservation.install(refuse, on: fixture.directory.path)
        defer { DiskObservation.remove(refuse) }
        var failed = false
        do {
            for try await _ in group.batches(until: .atEnd) {}
        } catch let error as LogError {
            failed = error.cause?.errno == EIO
        }
        #expect(failed)
    }
}
