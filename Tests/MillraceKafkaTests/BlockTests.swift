import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceKafka

/// Blocks that are damaged, or that another topic's are.
@Suite struct BlockTests {
    static let topics = [
        TopicConfiguration(kind: .bytes, codec: .lz4),
        TopicConfiguration(kind: .bytes, codec: .none),
        TopicConfiguration(kind: .features, features: 3, label: true, codec: .lz4, filter: .split),
        TopicConfiguration(
            kind: .features, features: 3, codec: .none, elementType: .uint8, scale: 0.5),
    ]

    private func block(_ configuration: TopicConfiguration, rows: Int = 20) throws -> [UInt8] {
        var random = SplitMix64(seed: 3)
        var builder = BatchBuilder(columns: configuration.features)
        for number in 0..<rows { TestRow.random(configuration, number, &random).add(to: &builder) }
        var writer = BlockWriter(configuration)
        var bytes: [UInt8] = []
        try writer.pack(&builder, into: &bytes)
        return bytes
    }

    /// How many rows a block gives, or why none.
    private func read(
        _ bytes: [UInt8], _ configuration: TopicConfiguration
    ) -> Result<Int, RecordFault> {
        var reader = BlockReader(configuration)
        var builder = BatchBuilder(columns: configuration.features)
        let result = Result { () throws(RecordFault) in
            try reader.add(
                bytes.span, RecordContext(timestamp: 0, sourceDelta: 0), to: &builder)
        }
        if case .success(let rows) = result {
            #expect(builder.rows == rows)
        } else {
            #expect(builder.rows == 0 && builder.byteCount == 0)
        }
        return result
    }

    @Test(arguments: topics) func everyBitFlip(_ configuration: TopicConfiguration) throws {
        var bytes = try block(configuration)
        #expect(read(bytes, configuration) == .success(20))
        for index in bytes.indices {
            for bit in 0..<8 {
                bytes[index] ^= 1 << UInt8(bit)
                if case .success = read(bytes, configuration) {
                    Issue.record("byte \(index), bit \(bit) made no difference")
                }
                bytes[index] ^= 1 << UInt8(bit)
            }
        }
    }

    @Test(arguments: topics) func everyTruncation(_ configuration: TopicConfiguration) throws {
        let bytes = try block(configuration)
        for count in 0..<bytes.count {
            guard case .failure(let fault) = read(Array(bytes[..<count]), configuration) else {
                Issue.record("\(count) bytes were taken for a block")
                continue
            }
            #expect(fault.reason == .undecodable)
        }
        #expect(read(bytes + [0], configuration) != .success(20))
    }

    /// What carries the right checksum and still is no batch does not trap.
    @Test(arguments: topics) func forgedBlocks(_ configuration: TopicConfiguration) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        let whole = try block(configuration)
        for _ in 0..<3000 {
            var bytes = whole
            for _ in 0...random.next() % 3 {
                let index = 12 + Int(random.next() % UInt64(bytes.count - 12))
                bytes[index] = UInt8(truncatingIfNeeded: random.next())
            }
            BlockHeader.finish(&bytes)
            _ = read(bytes, configuration)
        }
        print("forged blocks, seed \(seed)")
    }

    @Test func blocksOfOtherTopics() throws {
        let bytes = try block(Self.topics[0])
        let features = try block(Self.topics[2])
        func message(_ bytes: [UInt8], _ configuration: TopicConfiguration) -> String {
            guard case .failure(let fault) = read(bytes, configuration) else { return "taken" }
            return fault.message
        }
        #expect(message(bytes, Self.topics[2]).contains("found a block of bytes"))
        #expect(message(features, Self.topics[0]).contains("found a block of features with 3"))
        let wider = TopicConfiguration(kind: .features, features: 4, label: true)
        #expect(message(features, wider).contains("features with 4 columns"))
        // Another element type is widened and rounded.
        let narrow = TopicConfiguration(kind: .features, features: 3, elementType: .float16)
        #expect(read(features, narrow) == .success(20))
        var newer = bytes
        newer[4] = 2
        BlockHeader.finish(&newer)
        #expect(message(newer, Self.topics[0]).contains("expected version 1, found 2"))
    }
}
