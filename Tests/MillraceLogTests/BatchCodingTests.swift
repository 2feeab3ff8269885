import MillraceSystem
import Testing

@testable import MillraceLog

/// Encoding and decoding of batches without files: every type, codec, filter and section.
@Suite struct BatchCodingTests {
    /// A topic of each kind, element type, codec and filter that go together.
    static let topics: [TopicConfiguration] = {
        var topics: [TopicConfiguration] = []
        for codec in Codec.allCases {
            for level in codec == .lz4 ? [0, 9] : [0] {
                topics.append(.init(kind: .bytes, codec: codec, level: level))
                for filter in codec == .lz4 ? Filter.allCases : [.none] {
                    topics.append(
                        .init(kind: .predictions, codec: codec, level: level, filter: filter))
                    for type in ElementType.allCases {
                        topics.append(
                            .init(
                                kind: .features, features: 7, label: true, codec: codec,
                                level: level, filter: filter, elementType: type, scale: 0.125,
                                zeroPoint: type.zeroPoints.upperBound / 3))
                    }
                }
            }
        }
        return topics
    }()

    @Test(arguments: topics)
    func roundTrips(_ topic: TopicConfiguration) throws {
        try topic.validate()
        let seed = UInt64.random(in: 0...UInt64.max)
        print("batch seed \(seed)")
        var random = SplitMix64(seed: seed)
        var encoder = BatchEncoder(configuration: topic)
        var decoder = BatchDecoder(topic.elementDecoding)
        var builder = BatchBuilder()
        for turn in 0..<80 {
            let model = ModelBatch.random(topic, &random)
            model.fill(&builder)
            let stored = try StoredBatch(&encoder, &builder)
            let difference = try stored.read(&decoder) { model.difference($0, topic) }
            #expect(difference == nil, "turn \(turn), seed \(seed)")
            builder.reset()
        }
    }

    /// A writer that lost a race puts another header in front of the same payload.
    @Test(arguments: topics)
    func anotherHeaderForTheSamePayload(_ topic: TopicConfiguration) throws {
        var random = SplitMix64(seed: 1)
        var encoder = BatchEncoder(configuration: topic)
        var decoder = BatchDecoder(topic.elementDecoding)
        var builder = BatchBuilder()
        var model = ModelBatch.random(topic, &random)
        while model.rows < 2 { model = ModelBatch.random(topic, &random) }
        model.fill(&builder)
        try encoder.prepare(&builder)
        for base in [7, 1_000] as [UInt64] {
            encoder.header.baseOffset = base
            encoder.header.epoch += 1
            encoder.header.durable = base * 64
            encoder.encode(&builder)
            let header = encoder.header
            let stored = StoredBatch(encoder.batch(of: builder))
            let read = try BatchHeader(stored.bytes)
            #expect(read.baseOffset == base)
            #expect(read.durable == base * 64)
            #expect(read == header)
            let difference = try stored.read(&decoder) { model.difference($0, topic) }
            #expect(difference == nil)
        }
        // After an append that failed, the same rows and more may be prepared again.
        model.fill(&builder)
        let again = try StoredBatch(&encoder, &builder)
        let rows = try again.read(&decoder) { $0.rows }
        #expect(rows == 2 * model.rows)
        builder.reset()
        model.fill(&builder)
        let first = try StoredBatch(&encoder, &builder)
        let second = try StoredBatch(&encoder, &builder)
        let difference = try second.read(&decoder) { model.difference($0, topic) }
        #expect(difference == nil)
        #expect(first.byteCount == second.byteCount)
    }

    private static func small(_ topic: TopicConfiguration) throws -> StoredBatch {
        var random = SplitMix64(seed: 4)
        var encoder = BatchEncoder(configuration: topic)
        var builder = BatchBuilder()
        var model = ModelBatch.random(topic, &random)
        while !(8...24).contains(model.rows) || model.keys.isEmpty || model.headers.isEmpty
            || model.timestamps.isEmpty
        {
            model = ModelBatch.random(topic, &random)
        }
        model.fill(&builder)
        return try StoredBatch(&encoder, &builder)
    }

    @Test(arguments: topics.filter { $0.level == 0 })
    func everyFlippedBitAndTruncationIsFound(_ topic: TopicConfiguration) throws {
        var stored = try Self.small(topic)
        var decoder = BatchDecoder(topic.elementDecoding)
        let header = try BatchHeader(stored.bytes)
        let end = header.headerBytes + header.storedBytes
        for bit in 0..<end * 8 {
            stored.flip(bit: bit)
            let wasFound = Self.isRefused(stored, &decoder, verify: true)
            #expect(wasFound, "bit \(bit)")
            // Unverified, the structure still keeps every accessor inside the payload.
            if bit % 7 == 0 { _ = Self.isRefused(stored, &decoder, verify: false) }
            stored.flip(bit: bit)
        }
        #expect(!Self.isRefused(stored, &decoder, verify: true))
        for length in 0..<stored.byteCount {
            let cut = StoredBatch(stored.bytes.extracting(0..<length))
            #expect(Self.isRefused(cut, &decoder, verify: true), "length \(length)")
        }
    }

    private static func isRefused(
        _ stored: borrowing StoredBatch, _ decoder: inout BatchDecoder, verify: Bool
    ) -> Bool {
        do throws(BatchHeaderFault) {
            try stored.read(&decoder, verify: verify) {
                _ = BatchImage($0)
                _ = RowDetails($0)
            }
            return false
        } catch {
            return true
        }
    }

    /// Payload bytes that no writer made: refused, or every accessor stays inside.
    @Test(arguments: topics.filter { $0.codec == .none })
    func payloadsThatNoWriterMade(_ topic: TopicConfiguration) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("payload fuzz seed \(seed)")
        var random = SplitMix64(seed: seed)
        let original = try Self.small(topic)
        var decoder = BatchDecoder(topic.elementDecoding)
        let header = try BatchHeader(original.bytes)
        let payload = original.bytes.extracting(
            header.headerBytes..<header.headerBytes + header.storedBytes)
        let layout = try PayloadLayout(header, checking: payload)
        var refused = 0
        for _ in 0..<4_000 {
            var stored = StoredBatch(original.bytes)
            var target = stored.buffer.mutableBytes
            for _ in 0...random.next() % 3 {
                // Ends and lengths more often than what they bound.
                let first = random.next() % 4 == 0 ? 0 : layout.keyEnds
                let at = first + Int(random.next() % UInt64(header.storedBytes - first))
                target.store(
                    UInt8(truncatingIfNeeded: random.next() % 2 == 0 ? random.next() : 0x80),
                    at: header.headerBytes + at)
            }
            if Self.isRefused(stored, &decoder, verify: false) { refused += 1 }
        }
        #expect(refused > 100)
    }

    @Test func decoderWantsTheTopicsElementType() throws {
        let topic = try #require(Self.topics.first { $0.elementType == .uint8 })
        let stored = try Self.small(topic)
        var decoder = BatchDecoder()
        #expect(Self.isRefused(stored, &decoder, verify: true))
    }

    @Test func filterAndCodecOnlyWhereTheyPay() throws {
        let topic = TopicConfiguration(kind: .features, features: 16, codec: .lz4, filter: .split)
        var encoder = BatchEncoder(configuration: topic)
        var builder = BatchBuilder(columns: 16)
        var random = SplitMix64(seed: 9)
        var noise = builder.addRows(8)
        for index in 0..<128 {
            noise[index] = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
        }
        try encoder.prepare(&builder)
        let stored = encoder.header
        #expect(stored.attributes.codec == .none)
        #expect(stored.attributes.filter == .none)
        builder.reset()
        var ones = builder.addRows(8)
        for index in 0..<128 { ones[index] = 1 }
        try encoder.prepare(&builder)
        let packed = encoder.header
        #expect(packed.attributes.codec == .lz4)
        #expect(packed.attributes.filter == .split)
        var bytes = topic
        bytes.elementType = .uint8
        encoder = BatchEncoder(configuration: bytes)
        try encoder.prepare(&builder)
        let narrow = encoder.header
        #expect(narrow.attributes.codec == .lz4)
        #expect(narrow.attributes.filter == .none)
    }
}
