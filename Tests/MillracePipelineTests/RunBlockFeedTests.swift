import MillraceLog
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// A trainer sees rows in an order that follows from their offsets, whatever the timing.
@Suite struct RunBlockFeedTests {
    /// What a block held: the rows' numbers, and how much of the topic it covers.
    private struct Block: Equatable {
        var rows: [Float]
        var labels: [Float]
        var sourceRows: Int
    }

    /// A topic whose rows hold their partition and offset.
    private struct Fixture {
        static let batchRows = 16
        let directory: TemporaryDirectory
        let topic: Topic
        let counts: [Int]
        private var written: [Int]

        init(counts: [Int]) throws {
            self.counts = counts
            written = counts.map { _ in 0 }
            directory = try TemporaryDirectory()
            topic = try DataDirectory(directory.path, create: true).topic(
                "rows",
                creating: TopicConfiguration(
                    partitions: counts.count, kind: .features, features: 2, label: true))
        }

        /// Every third row has no label.
        static func label(_ offset: Int) -> Float { offset % 3 == 1 ? .nan : Float(offset) }

        var isComplete: Bool { written == counts }

        /// Appends up to `most` of the rows that a partition lacks.
        mutating func append(_ partition: Int, most: Int) throws {
            let end = min(written[partition] + most, counts[partition])
            guard end > written[partition] else { return }
            var builder = BatchBuilder(columns: 2)
            for offset in written[partition]..<end {
                do {
                    var row = builder.nextRow()
                    row[0] = Float(partition)
                    row[1] = Float(offset)
                }
                builder.commitRow(label: Self.label(offset))
            }
            var writer = try topic.writer(partition: partition)
            try writer.append(&builder)
            try writer.close()
            written[partition] = end
        }

        /// The blocks by the rule: partitions in turn, whole blocks, the rest of each at its end.
        var expected: [Block] {
            var next = counts.map { _ in 0 }
            var blocks: [Block] = []
            var turn = 0
            while next != counts {
                let rows = next[turn]..<min(next[turn] + Self.batchRows, counts[turn])
                if !rows.isEmpty {
                    let labelled = rows.filter { !Self.label($0).isNaN }
                    blocks.append(
                        Block(
                            rows: labelled.flatMap { [Float(turn), Float($0)] },
                            labels: labelled.map(Float.init), sourceRows: rows.count))
                    next[turn] = rows.upperBound
                }
                turn = (turn + 1) % counts.count
            }
            return blocks
        }
    }

    private func feed(_ topic: Topic, offsets: [UInt64] = [], turn: Int = 0) throws -> BlockFeed {
        try BlockFeed(
            topic: topic, blockRows: Fixture.batchRows, objective: .regression, offsets: offsets,
            turn: turn)
    }

    /// Takes blocks until there is none for now; true at the end.
    private func drain(_ feed: BlockFeed, ended: Bool, into blocks: inout [Block]) throws -> Bool {
        var block = TrainingBlock()
        while true {
            switch try feed.next(into: &block, ended: ended) {
            case .end: return true
            case .waiting: return false
            case .block:
                blocks.append(
                    Block(
                        rows: block.features, labels: block.labels, sourceRows: block.sourceRows))
            }
        }
    }

    @Test func orderFollowsFromOffsets() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("block feed seed \(seed)")
        var random = SplitMix64(seed: seed)
        for _ in 0..<40 {
            let counts = (0..<1 + random.next() % 4).map { _ in Int(random.next() % 200) }
            var fixture = try Fixture(counts: counts)
            var feed = try feed(fixture.topic)
            var blocks: [Block] = []
            while !fixture.isComplete {
                let partition = Int(random.next() % UInt64(counts.count))
                try fixture.append(partition, most: 1 + Int(random.next() % 50))
                switch random.next() % 4 {
                case 0: #expect(try !drain(feed, ended: false, into: &blocks), "seed \(seed)")
                case 1:
                    // A new feed goes on from the numbers that a checkpoint holds.
                    feed = try self.feed(fixture.topic, offsets: feed.offsets, turn: feed.turn)
                default: break
                }
            }
            #expect(try drain(feed, ended: true, into: &blocks), "seed \(seed)")
            #expect(blocks == fixture.expected, "seed \(seed), counts \(counts)")
        }
    }

    @Test func waitsForTheOneWhoseTurnItIs() throws {
        var fixture = try Fixture(counts: [5, 40])
        try fixture.append(1, most: 40)
        let feed = try feed(fixture.topic)
        var blocks: [Block] = []
        #expect(try !drain(feed, ended: false, into: &blocks))
        #expect(blocks.isEmpty)
        try fixture.append(0, most: 5)
        #expect(try !drain(feed, ended: false, into: &blocks))
        #expect(blocks.isEmpty)
        #expect(try drain(feed, ended: true, into: &blocks))
        #expect(blocks == fixture.expected)
        #expect(blocks.map(\.sourceRows) == [5, 16, 16, 8])
    }
}
