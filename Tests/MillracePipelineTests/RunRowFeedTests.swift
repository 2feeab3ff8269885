import MillraceLog
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// A trainer sees rows in an order that follows from their offsets, whatever the timing.
@Suite struct RunRowFeedTests {
    /// What was taken at once.
    private struct Block: Equatable {
        var rows: [Float]
        var held: [Float]
        var sourceRows: Int
    }

    /// A partition whose rows hold their offset.
    private struct Fixture {
        let directory: TemporaryDirectory
        let topic: Topic
        private(set) var written = 0

        init() throws {
            directory = try TemporaryDirectory()
            topic = try DataDirectory(directory.path, create: true).topic(
                "rows",
                creating: TopicConfiguration(
                    partitions: 1, kind: .features, features: 2, label: true))
        }

        /// Every third row has no label.
        static func label(_ offset: Int) -> Float { offset % 3 == 1 ? .nan : Float(offset) }

        mutating func append(_ rows: Int) throws {
            guard rows > 0 else { return }
            var builder = BatchBuilder(columns: 2)
            for offset in written..<written + rows {
                do {
                    var row = builder.nextRow()
                    row[0] = Float(offset)
                    row[1] = -1
                }
                builder.commitRow(label: Self.label(offset))
            }
            var writer = try topic.writer(partition: 0)
            try writer.append(&builder)
            try writer.close()
            written += rows
        }

        func feed(from offset: UInt64 = 0, end: UInt64? = nil) throws -> RowFeed {
            try RowFeed(
                LogRows(topic: topic), 0, .regression, holdOut: .every(rows: 5), from: offset,
                end: end)
        }

        static func expected(_ offsets: Range<Int>) -> Block {
            let labelled = offsets.filter { $0 % 3 != 1 }
            return Block(
                rows: labelled.filter { $0 % 5 != 4 }.flatMap { [Float($0), -1] },
                held: labelled.filter { $0 % 5 == 4 }.flatMap { [Float($0), -1] },
                sourceRows: offsets.count)
        }
    }

    private func take(_ count: Int, _ feed: RowFeed) -> Block {
        var block = RowBlock()
        feed.take(count, into: &block)
        return Block(
            rows: feed.learntRows(of: block).features, held: block.heldFeatures,
            sourceRows: block.sourceRows)
    }

    @Test func orderFollowsFromOffsets() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("row feed seed \(seed)")
        var random = SplitMix64(seed: seed)
        for _ in 0..<40 {
            let total = Int(random.next() % 300)
            var fixture = try Fixture()
            var feed = try fixture.feed()
            var done = 0
            while true {
                let wanted = 1 + Int(random.next() % 40)
                let isComplete = fixture.written == total
                if try feed.fill(to: wanted, ended: isComplete) {
                    let rows = min(wanted, total - done)
                    let expected = rows > 0 ? Fixture.expected(done..<done + rows) : nil
                    let found = take(wanted, feed)
                    #expect(found.sourceRows == rows, "seed \(seed)")
                    if let expected { #expect(found == expected, "seed \(seed)") }
                    done += rows
                    #expect(feed.nextOffset == UInt64(done))
                    if feed.isExhausted { break }
                    if random.next() % 4 == 0 {
                        feed = try fixture.feed(from: feed.nextOffset, end: feed.end)
                    }
                } else {
                    #expect(!isComplete, "seed \(seed)")
                    try fixture.append(min(1 + Int(random.next() % 60), total - fixture.written))
                }
            }
            #expect(done == total && feed.end == UInt64(total), "seed \(seed)")
        }
    }

    /// Once it is decided that the rows end, later ones are not for this pass.
    @Test func anEndStaysWhereItIs() throws {
        var fixture = try Fixture()
        try fixture.append(12)
        let feed = try fixture.feed()
        #expect(try feed.fill(to: 10, ended: false))
        #expect(feed.end == nil)
        _ = take(10, feed)
        #expect(try !feed.fill(to: 10, ended: false))
        #expect(try feed.fill(to: 10, ended: true))
        #expect(feed.end == 12)
        try fixture.append(20)
        #expect(take(10, feed) == Fixture.expected(10..<12))
        #expect(try feed.fill(to: 10, ended: true))
        #expect(feed.isExhausted)
        // Also by one who begins anew from what is recorded.
        let later = try fixture.feed(from: 3, end: 12)
        #expect(try later.fill(to: 100, ended: false))
        #expect(take(100, later) == Fixture.expected(3..<12))
        #expect(later.isExhausted)
        // And who knows of no end sees all.
        let other = try fixture.feed(from: 12)
        #expect(try other.fill(to: 20, ended: false))
        #expect(take(20, other) == Fixture.expected(12..<32))
    }

    @Test func sharesOfAStepFollowFromItsSize() throws {
        var options = TrainingOptions(.logistic, features: 1)
        options.batchRows = 10
        func shares(_ plan: StepPlan, turn: Int = 0) -> [Int] {
            (0..<4).map { plan.rows(of: $0, turn: turn) }
        }
        let reduced = try StepPlan(options, partitions: 4)
        #expect(shares(reduced) == [3, 3, 2, 2] && reduced.lanes == 4 && !reduced.takesTurns)
        options.synchronization = .average(everyRows: 102)
        let averaged = try StepPlan(options, partitions: 4)
        #expect(shares(averaged) == [26, 26, 25, 25] && averaged.batchRows == 10)
        options.synchronization = .reduce
        options.mode = .sequential
        let turns = try StepPlan(options, partitions: 4)
        #expect(shares(turns, turn: 2) == [0, 0, 256, 0] && turns.lanes == 1)
        let (some, all) = ([true, false, true, true], [true, true, true, true])
        #expect((0..<4).map { turns.next(after: $0, rows: 9, exhausted: all) } == [1, 2, 3, 0])
        // One that has nothing is passed over while others have; in the end it is the next.
        #expect(turns.next(after: 2, rows: 0, exhausted: some) == 3)
        #expect(turns.next(after: 2, rows: 0, exhausted: all) == 2)
        options.mode = .miniBatch
        options.batchRows = 3
        let error = #expect(throws: PipelineError.self) {
            _ = try StepPlan(options, partitions: 4)
        }
        #expect(error?.code == .usage)
    }
}
