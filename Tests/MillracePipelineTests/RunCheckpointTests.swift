import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// The file from which a trainer goes on: whole, or refused.
@Suite struct RunCheckpointTests {
    private static func position() -> TrainingPosition {
        var position = TrainingPosition(
            topicID: .max, trainingID: 1 << 63, settings: "{\"rate\":0.01} epochs 1",
            specification: 0xDEAD_BEEF, kernels: "portable", nextMetrics: 2048,
            nextCheckpoint: 50_000,
            nextVersion: .max)
        position.epoch = 2
        position.turn = 1
        position.offsets = [12_345, 0]
        position.sourceRows = 24_690
        position.pendingPublication = "1/learn/2/24690"
        position.pendingRecord = MetricsRecord(
            rows: 20_000, sourceRows: 24_690, epoch: 2, steps: 80, loss: 0.1, windowLoss: 1 / 3)
        return position
    }

    private static let trainer = (0..<200).map { UInt8(truncatingIfNeeded: $0 * 37) }

    /// What loading these bytes ends with; nil when they were accepted.
    private func error(loading bytes: [UInt8], at path: String) throws -> PipelineError? {
        try Files.writeDurably(path, bytes)
        do {
            _ = try TrainingCheckpoint.load(path)
            return nil
        } catch let error as PipelineError {
            return error
        }
    }

    @Test func recordsOfMetricsBecomeRarer() {
        let rows = [0, 65_535, 131_071, 131_072, 1_000_000, 2_097_152, .max]
        let expected = [2048, 2048, 2048, 4096, 30_720, 65_536, 65_536]
        #expect(rows.map { TrainTask.metricsRows(after: $0, nil) } == expected)
        #expect(rows.allSatisfy { TrainTask.metricsRows(after: $0, DriftDetection()) == 2048 })
    }

    @Test func comesBackAsItWas() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("checkpoint")
        #expect(try TrainingCheckpoint.load(path) == nil)
        for trainer in [Self.trainer, []] {
            try TrainingCheckpoint.save(Self.position(), trainer: trainer, to: path)
            let loaded = try #require(try TrainingCheckpoint.load(path))
            #expect(loaded.position == Self.position())
            #expect(loaded.heldOut == [] && loaded.trainer == trainer)
        }
    }

    @Test func heldOutRowsComeBackAsTheyWere() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("checkpoint")
        var rows = HeldOutRows(width: 2, capacity: 3)
        for number in 0..<5 {
            var block = RowBlock()
            block.heldFeatures = [Float(number), .nan]
            block.heldLabels = [Float(number)]
            rows.add(block)
        }
        // The newest three, whatever their places.
        #expect(rows.labels.sorted() == [2, 3, 4])
        try TrainingCheckpoint.save(
            Self.position(), heldOut: rows.encoded(), trainer: Self.trainer, to: path)
        let loaded = try #require(try TrainingCheckpoint.load(path))
        #expect(loaded.trainer == Self.trainer)
        let read = try #require(HeldOutRows(loaded.heldOut, width: 2, capacity: 3))
        #expect(read.encoded() == rows.encoded() && read.labels == rows.labels)
        #expect(HeldOutRows(loaded.heldOut, width: 3, capacity: 3) == nil)
        #expect(HeldOutRows(loaded.heldOut, width: 2, capacity: 2) == nil)
    }

    @Test func refusesEveryTruncation() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("checkpoint")
        try TrainingCheckpoint.save(Self.position(), trainer: Self.trainer, to: path)
        let bytes = try Files.read(path, maxBytes: 1 << 20)
        for length in 0..<bytes.count {
            let error = try error(loading: Array(bytes[..<length]), at: path)
            #expect(error?.code == .badData, "length \(length)")
            #expect(error?.file == path)
        }
        #expect(try error(loading: bytes + [0], at: path)?.code == .badData)
    }

    @Test func refusesEveryFlippedByte() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("checkpoint")
        try TrainingCheckpoint.save(Self.position(), trainer: Self.trainer, to: path)
        let bytes = try Files.read(path, maxBytes: 1 << 20)
        let seed = UInt64.random(in: 0...UInt64.max)
        print("checkpoint seed \(seed)")
        var random = SplitMix64(seed: seed)
        for place in bytes.indices {
            var damaged = bytes
            damaged[place] ^= UInt8(1 + random.next() % 255)
            let error = try error(loading: damaged, at: path)
            #expect(error?.code == .badData, "byte \(place), seed \(seed)")
            #expect(error?.description.split(separator: "\n").count == 2)
        }
    }

    /// A checksum that fits does not make sense of nonsense.
    @Test func refusesOtherContentWithARightChecksum() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("checkpoint")
        func framed(_ body: [UInt8]) -> [UInt8] {
            let checksum = CRC32C.checksum(of: body.span)
            return Array("MLRCKPT2".utf8)
                + (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) } + body
        }
        for body: [UInt8] in [
            [0, 0, 0, 0], [255, 255, 255, 255, 1, 2], [2, 0, 0, 0] + Array("{}".utf8),
            [4, 0, 0, 0] + Array("null".utf8),
        ] {
            #expect(try error(loading: framed(body), at: path)?.code == .badData, "\(body)")
        }
    }
}
