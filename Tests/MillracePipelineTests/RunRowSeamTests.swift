import MillraceLog
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

extension RowFeed {
    /// The rows to learn of a block, wherever they are, without gaps.
    func learntRows(of block: RowBlock) -> (features: [Float], labels: [Float]) {
        var features: [Float] = []
        var labels: [Float] = []
        withRows(of: block) { rows in
            for row in 0..<rows.rows {
                for i in 0..<rule.width { features.append(rows.features[row * rows.stride + i]) }
                labels.append(rows.labels[row])
            }
        }
        return (features, labels)
    }
}

/// Rows are the same whether they are learnt where they were decoded or copied at a seam.
@Suite struct RunRowSeamTests {
    private static let width = 3

    /// How a partition stores its rows, and what some of them are.
    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var codec = Codec.lz4
        var type = ElementType.float32
        var isUnlabelled: @Sendable (Int) -> Bool = { _ in false }
        var isInfinite: @Sendable (Int) -> Bool = { _ in false }
        var holdOut: HoldOut?
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "decoded"),
        Case(name: "as stored", codec: .none),
        Case(name: "widened", type: .float16),
        Case(name: "some unlabelled", isUnlabelled: { $0 % 61 == 60 }),
        Case(name: "held out", holdOut: .every(rows: 10)),
        Case(name: "held out once", codec: .none, holdOut: .offsets(59...60)),
        Case(name: "infinite", isInfinite: { $0 % 20 == 0 || $0 % 20 == 19 }),
        Case(
            name: "all of it", isUnlabelled: { $0 % 7 == 3 }, isInfinite: { $0 % 10 > 7 },
            holdOut: .every(rows: 5)),
    ]

    private static func cell(_ example: Case, _ offset: Int, _ column: Int) -> Float {
        column == 1 && example.isInfinite(offset) ? -.infinity : Float(offset % 1000 + column)
    }

    /// A topic with rows in batches of these sizes.
    private static func write(
        _ example: Case, _ sizes: [Int], in directory: TemporaryDirectory
    ) throws -> Topic {
        let topic = try DataDirectory(directory.path, create: true).topic(
            "rows",
            creating: TopicConfiguration(
                partitions: 1, kind: .features, features: width, label: true,
                codec: example.codec, elementType: example.type))
        var offset = 0
        for size in sizes {
            var builder = BatchBuilder(columns: width)
            for _ in 0..<size {
                do {
                    var row = builder.nextRow()
                    for i in 0..<width { row[i] = cell(example, offset, i) }
                }
                builder.commitRow(label: example.isUnlabelled(offset) ? .nan : Float(offset))
                offset += 1
            }
            var writer = try topic.writer(partition: 0)
            try writer.append(&builder)
            try writer.close()
        }
        return topic
    }

    @Test(arguments: cases)
    func seamsChangeNoRow(_ example: Case) throws {
        var draw = SplitMix64(seed: 11)
        for round in 0..<6 {
            let sizes =
                round == 0
                ? [60, 60, 60] : (0..<8).map { _ in 1 + Int(draw.next() % 60) }
            let directory = try TemporaryDirectory()
            let topic = try Self.write(example, sizes, in: directory)
            let total = sizes.reduce(0, +)
            let feed = try RowFeed(
                LogRows(topic: topic), 0, .regression, holdOut: example.holdOut, from: 0, end: nil)
            var block = RowBlock()
            var taken = 0
            var inPlace = 0
            while taken < total {
                let wanted = round == 0 ? 20 : 1 + Int(draw.next() % 40)
                #expect(try feed.fill(to: wanted, ended: true))
                feed.take(wanted, into: &block)
                if block.isInPlace { inPlace += 1 }
                let rows = taken..<min(taken + wanted, total)
                // A trainer refuses what has an infinite feature; then it is looked for.
                if rows.contains(where: example.isInfinite) { feed.refuseInfinite(in: &block) }
                check(block, feed, rows, example)
                taken = rows.upperBound
                #expect(feed.nextOffset == UInt64(taken))
            }
            if round == 0, example.type == .float32, example.holdOut == nil {
                #expect(inPlace >= 6)
            }
        }
    }

    private func check(_ block: RowBlock, _ feed: RowFeed, _ rows: Range<Int>, _ example: Case) {
        let labelled = rows.filter { !example.isUnlabelled($0) }
        let sound = labelled.filter { !example.isInfinite($0) }
        func isHeld(_ offset: Int) -> Bool { example.holdOut?.contains(UInt64(offset)) ?? false }
        func cells(_ offsets: [Int]) -> [Float] {
            offsets.flatMap { offset in (0..<Self.width).map { Self.cell(example, offset, $0) } }
        }
        let learnt = feed.learntRows(of: block)
        #expect(learnt.features == cells(sound.filter { !isHeld($0) }))
        #expect(learnt.labels == sound.filter { !isHeld($0) }.map(Float.init))
        #expect(block.learntRows == learnt.labels.count && block.sourceRows == rows.count)
        #expect(block.heldFeatures == cells(sound.filter(isHeld)))
        #expect(
            block.rejected.map(\.offset) == labelled.filter(example.isInfinite).map(UInt64.init))
        #expect(block.rejected.allSatisfy { $0.reason == "a feature is infinite" })
    }
}
