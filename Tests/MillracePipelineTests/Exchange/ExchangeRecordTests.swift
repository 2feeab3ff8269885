import MillraceModels
import MillraceSystem
import Testing

@testable import MillracePipeline

/// Records of an exchange topic as bytes: what is written is read, and whatever else there is, nothing
/// traps and nothing is taken for what it is not.
@Suite struct ExchangeRecordTests {
    private static let trainer = TrainerID(name: "host-1", life: 0xFEED_0000_BEEF)
    private static let settings: UInt64 = 0x0123_4567_89AB_CDEF

    private static func options() -> TrainingOptions {
        var options = TrainingOptions(.logistic, features: 3)
        options.hidden = [2]
        return options
    }

    private static func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    @Test(arguments: [0, 1, 499_999, 500_000, 500_001, 1_700_000])
    func roundTrip(_ count: Int) throws {
        let message = Self.bytes(count, seed: 7)
        let records = ExchangeRecord.records(
            .contribution, round: 9, message, of: Self.trainer, settings: Self.settings)
        #expect(records.count == max(1, (count + 499_999) / 500_000))
        #expect(records.allSatisfy { $0.count <= 512 << 10 })
        var assembly = MessageAssembly(mostBytes: 1 << 30)
        var found: [[UInt8]] = []
        // In another order, and each twice.
        for record in (records.reversed() + records) {
            let read = try ExchangeRecord(record)
            #expect(read.settings == Self.settings && read.message.trainer == Self.trainer)
            #expect(read.message.kind == .contribution && read.message.round == 9)
            if let whole = assembly.take(read) { found.append(whole) }
        }
        #expect(found.first == message)
    }

    @Test func everyTruncationAndEveryFlippedBitIsRefused() throws {
        let record = ExchangeRecord.records(
            .contribution, round: 3, Self.bytes(90, seed: 1), of: Self.trainer,
            settings: Self.settings)[0]
        for count in 0..<record.count {
            #expect(throws: ExchangeRecord.Fault.self) {
                try ExchangeRecord(Array(record[..<count]))
            }
        }
        #expect(throws: ExchangeRecord.Fault.self) { try ExchangeRecord(record + [0]) }
        for bit in 0..<8 * record.count {
            var damaged = record
            damaged[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: ExchangeRecord.Fault.self) { try ExchangeRecord(damaged) }
        }
    }

    /// Numbers that nobody has written, under a checksum that is right.
    @Test func forgedNumbersAreRefused() throws {
        let record = ExchangeRecord.records(
            .contribution, round: 3, Self.bytes(90, seed: 2), of: Self.trainer,
            settings: Self.settings)[0]
        for place in [12, 14, 15, 40, 48, 52, 56, 60, 64] {
            for value: UInt8 in [0, 5, 0x7F, 0xFF] where record[place] != value {
                var forged = record
                forged[place] = value
                let error = #expect(throws: ExchangeRecord.Fault.self, "byte \(place): \(value)") {
                    try ExchangeRecord(Self.sealed(forged))
                }
                #expect(error.map { $0.byte <= 72 } == true)
            }
        }
    }

    private static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let checksum = CRC32C.checksum(of: bytes.span.extracting(12...))
        bytes.replaceSubrange(8..<12, with: checksum.littleEndianBytes)
        return bytes
    }

    /// Messages that are begun and never ended do not fill the memory, nor harm others.
    @Test func unfinishedMessagesAreForgotten() throws {
        var assembly = MessageAssembly(mostBytes: 2_000_000)
        let message = Self.bytes(1_200_000, seed: 4)
        for round in 1...50 {
            let records = ExchangeRecord.records(
                .contribution, round: round, message, of: Self.trainer,
                settings: Self.settings)
            #expect(try assembly.take(ExchangeRecord(records[0])) == nil)
        }
        let records = ExchangeRecord.records(
            .contribution, round: 60, message, of: Self.trainer, settings: Self.settings)
        let found = try records.compactMap { assembly.take(try ExchangeRecord($0)) }
        #expect(found == [message])
    }

    /// Whole by their checksums, and no contribution, close or share: counted and left out.
    @Test func damagedMessagesAreLeftOut() throws {
        let options = Self.options()
        let trainer = try LaneTrainer(options, lanes: 1)
        trainer.begin(with: SharedModel(options), former: nil)
        let features: [Float] = [1, 2, 3, 4, 5, 6]
        let labels: [Float] = [0, 1]
        trainer.contribute(
            LabelledRows(features.span, rows: 2, stride: 3, labels: labels.span), to: 0)
        _ = try trainer.combine()
        let good = trainer.contribution().encoded()
        #expect(try ModelContribution(good, options).encoded() == good)
        for count in 0..<good.count {
            #expect(throws: ModelError.self) {
                try ModelContribution(Array(good[..<count]), options)
            }
        }
        // No rows, more new rows than rows, numbers that are not finite.
        for (word, value) in [(0, 0), (0, 3), (1, 1), (2, UInt64.max), (20, UInt64.max)] {
            var forged = good
            forged.replaceSubrange(8 * word..<8 * word + 8, with: value.littleEndianBytes)
            #expect(throws: ModelError.self, "word \(word)") {
                try ModelContribution(forged, options)
            }
        }
        var random = SplitMix64(seed: 5)
        for _ in 0..<2000 {
            var forged = good
            let place = Int(random.next() % UInt64(good.count))
            forged[place] = UInt8(truncatingIfNeeded: random.next())
            // Some are contributions still; the others are refused, and nothing traps.
            do throws(ModelError) { _ = try ModelContribution(forged, options) } catch {
                #expect(error.code == .malformedCheckpoint)
            }
        }
        try checkCloses(good, options)
    }

    private func checkCloses(_ contribution: [UInt8], _ options: TrainingOptions) throws {
        let peer = TrainerID(name: "peer", life: 1)
        var ledger = ExchangeLedger(
            options, settings: Self.settings, trainer: Self.trainer, begun: 0,
            from: ExchangeLedger.Start(average: SharedModel(options)))
        func take(_ kind: ExchangeRecord.Kind, _ bytes: [UInt8]) throws -> Bool {
            let record = ExchangeRecord.records(
                kind, round: 1, bytes, of: peer, settings: Self.settings)[0]
            return try ledger.take(record, at: 0) != nil
        }
        let shares = TrainerShare.encoded([])
        let close = CloseMessage(trainers: [peer], others: shares).encoded()
        // Nobody has contributed yet.
        #expect(try !take(.close, close))
        #expect(try !take(.contribution, contribution))
        var ignored = ledger.ignored
        for count in 0..<close.count {
            #expect(try !take(.close, Array(close[..<count])))
            #expect(ledger.ignored == ignored + 1)
            ignored = ledger.ignored
        }
        let two = CloseMessage(
            trainers: [Self.trainer, peer].sorted { $0.name < $1.name }, others: shares)
        let twice = CloseMessage(trainers: [peer, peer], others: shares)
        let full = [UInt8](repeating: 255, count: 64)
        for wrong in [two.encoded(), twice.encoded(), close + [1], [], full] {
            #expect(try !take(.close, wrong))
        }
        #expect(ledger.round == 0 && ledger.average?.rows == 0)
        #expect(try take(.close, close))
        #expect(ledger.round == 1 && ledger.average?.rows == 2)
        // The first one counts.
        #expect(try !take(.close, close))
    }

    /// A topic that begins with another training is refused; what comes into one's own is left out.
    @Test func otherTrainings() throws {
        let options = Self.options()
        func record(_ settings: UInt64, _ name: String, life: UInt64 = 1) -> [UInt8] {
            ExchangeRecord.records(
                .join, [], of: TrainerID(name: name, life: life), settings: settings)[0]
        }
        func ledger() -> ExchangeLedger {
            ExchangeLedger(
                options, settings: Self.settings, trainer: Self.trainer, begun: 5,
                from: ExchangeLedger.Start(average: SharedModel(options)))
        }
        var first = ledger()
        let error = #expect(throws: PipelineError.self) {
            _ = try first.take(record(1, "peer"), at: 0)
        }
        #expect(error?.code == .usage)
        var second = ledger()
        _ = try second.take(record(Self.settings, "peer"), at: 0)
        _ = try second.take(record(1, "other"), at: 1)
        #expect(second.ignored == 1 && second.awaited == ["peer"])
        // An earlier training under the name, and one that has begun since.
        _ = try second.take(record(Self.settings, Self.trainer.name), at: 4)
        let namesake = #expect(throws: PipelineError.self) {
            _ = try second.take(record(Self.settings, Self.trainer.name), at: 5)
        }
        #expect(namesake?.code == .usage && namesake?.message.contains("host-1") == true)
    }
}
