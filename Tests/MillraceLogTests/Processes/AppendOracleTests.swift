import MillraceSystem
import MillraceTestSupport
import Testing

/// The oracle sees what is wrong; one that did not would let every kill test pass.
@Suite struct AppendOracleTests {
    private static func rows(_ producer: UInt32, _ first: UInt64, _ count: Int) -> [[UInt8]] {
        (0..<count).map {
            ProcessRow(
                producer: producer, sequence: first + UInt64($0), first: first, rows: UInt32(count)
            ).bytes
        }
    }

    private static func promise(
        _ producer: UInt32, _ first: UInt64, _ count: Int, at offset: UInt64
    ) -> Promise {
        var checksum: UInt32 = 0
        for row in rows(producer, first, count) {
            checksum = CRC32C.checksum(of: row.span, seed: checksum)
        }
        return Promise(
            first: first, baseOffset: offset, rows: UInt32(count), kind: .appended,
            checksum: checksum)
    }

    /// Two processes, three batches each, in turn: 2, 3 and 4 rows.
    private static func log() -> [(base: UInt64, rows: [[UInt8]])] {
        var log: [(base: UInt64, rows: [[UInt8]])] = []
        var base: UInt64 = 0
        for (first, count) in [(UInt64(0), 2), (2, 3), (5, 4)] {
            for producer in [UInt32(1), 2] {
                log.append((base, rows(producer, first, count)))
                base += UInt64(count)
            }
        }
        return log
    }

    private static let promises: [UInt32: [Promise]] = [
        1: [promise(1, 0, 2, at: 0), promise(1, 2, 3, at: 4), promise(1, 5, 4, at: 10)],
        2: [promise(2, 0, 2, at: 2), promise(2, 2, 3, at: 7), promise(2, 5, 4, at: 14)],
    ]

    /// Faults in the log as such, and in each process's rows.
    private static func judge(
        _ log: [(base: UInt64, rows: [[UInt8]])], _ promises: [UInt32: [Promise]]
    ) -> (log: Int, processes: Int) {
        var oracle = AppendOracle()
        for (base, rows) in log { oracle.see(baseOffset: base, rows: rows) }
        let verdicts = [UInt32(1), 2].flatMap { oracle.verdict(on: $0, promises[$0] ?? []) }
        return (oracle.faults.count, verdicts.count)
    }

    /// The same batches, one after the other without a gap in the offsets.
    private static func renumbered(
        _ log: [(base: UInt64, rows: [[UInt8]])]
    ) -> [(base: UInt64, rows: [[UInt8]])] {
        var base: UInt64 = 0
        return log.map { batch in
            defer { base += UInt64(batch.rows.count) }
            return (base, batch.rows)
        }
    }

    @Test func whatIsRightHasNoFaults() {
        #expect(Self.judge(Self.log(), Self.promises) == (0, 0))
    }

    @Test func oneUnacknowledgedBatchAtTheEndIsAllowed() {
        var promises = Self.promises
        promises[1]?.removeLast()
        #expect(Self.judge(Self.log(), promises) == (0, 0))
        promises[1]?.removeLast()
        #expect(Self.judge(Self.log(), promises) == (0, 1))
        var middle = Self.promises
        middle[2]?.remove(at: 1)
        #expect(Self.judge(Self.log(), middle) == (0, 1))
    }

    @Test(arguments: 0..<6) func aLostBatchIsSeen(index: Int) {
        var log = Self.log()
        log.remove(at: index)
        let faults = Self.judge(log, Self.promises)
        #expect(faults.processes >= 1)
        #expect(index == 5 || faults.log >= 1)
        // Whoever closes the gap in the offsets moves what was promised.
        #expect(Self.judge(Self.renumbered(log), Self.promises).processes >= 1)
    }

    @Test(arguments: 0..<6) func aBatchThatIsThereTwiceIsSeen(index: Int) {
        var log = Self.log()
        log.append(log[index])
        let faults = Self.judge(Self.renumbered(log), Self.promises)
        #expect(faults.log == 1)
        #expect(faults.processes == 1)
    }

    @Test func anotherOrderIsSeen() {
        var log = Self.log()
        log.swapAt(0, 2)
        #expect(Self.judge(Self.renumbered(log), Self.promises).log >= 1)
        log = Self.log()
        // Batches of two processes may come in any order, but not at offsets promised otherwise.
        log.swapAt(0, 1)
        #expect(Self.judge(Self.renumbered(log), Self.promises) == (0, 2))
    }

    @Test func halfABatchIsSeen() {
        for index in 0..<6 {
            var log = Self.log()
            log[index].rows.removeLast()
            #expect(Self.judge(Self.renumbered(log), Self.promises).log >= 1)
            log = Self.log()
            log[index].rows.removeFirst()
            #expect(Self.judge(Self.renumbered(log), Self.promises).log >= 1)
        }
    }

    @Test func everyChangedBitIsSeen() {
        let row = Self.log()[2].rows[1]
        for bit in 0..<row.count * 8 {
            var log = Self.log()
            log[2].rows[1][bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(Self.judge(log, Self.promises).log >= 1, "bit \(bit)")
        }
    }

    @Test func rowsNobodyPromisedAreSeen() {
        var promises = Self.promises
        promises[2] = nil
        #expect(Self.judge(Self.log(), promises) == (0, 1))
    }

    /// The last four batches, as retention may leave them, and what their producers were promised.
    private static func trimmed() -> AppendOracle {
        var oracle = AppendOracle(from: log()[2].base)
        for (base, rows) in log().dropFirst(2) { oracle.see(baseOffset: base, rows: rows) }
        return oracle
    }

    @Test func whatRetentionRemovedIsNotMissed() throws {
        let oracle = Self.trimmed()
        #expect(oracle.faults == [])
        for producer in [UInt32(1), 2] {
            var promises = try #require(Self.promises[producer])
            #expect(oracle.verdict(on: producer, promises) == [])
            promises[0].baseOffset = Promise.unknownOffset
            #expect(oracle.verdict(on: producer, promises) == [])
        }
    }

    @Test(arguments: 2..<6) func whatRetentionLeftIsMissed(index: Int) throws {
        var oracle = AppendOracle(from: Self.log()[2].base)
        for (place, batch) in Self.log().enumerated() where place >= 2 && place != index {
            oracle.see(baseOffset: batch.base, rows: batch.rows)
        }
        let faults = [UInt32(1), 2].flatMap { oracle.verdict(on: $0, Self.promises[$0] ?? []) }
        #expect(!faults.isEmpty)
    }

    @Test func offsetsMayJumpOnlyIntoANewEpoch() {
        for (epochs, faults) in [([1, 2], 0), ([1, 1], 1), ([2, 1], 1)] {
            var oracle = AppendOracle()
            oracle.see(baseOffset: 0, rows: Self.rows(1, 0, 2), epoch: UInt32(epochs[0]))
            oracle.see(baseOffset: 64, rows: Self.rows(1, 2, 3), epoch: UInt32(epochs[1]))
            #expect(oracle.faults.count == faults, "\(epochs)")
        }
        var oracle = AppendOracle()
        oracle.see(baseOffset: 0, rows: Self.rows(1, 0, 2), epoch: 1)
        oracle.see(baseOffset: 1, rows: Self.rows(1, 2, 3), epoch: 2)
        #expect(oracle.faults.count == 1)
    }

    @Test func aDuplicateWhosePlaceIsNotKnownMustBeThere() throws {
        var promises = try #require(Self.promises[1])
        promises[2].baseOffset = Promise.unknownOffset
        #expect(Self.judge(Self.log(), [1: promises, 2: Self.promises[2] ?? []]) == (0, 0))
        var log = Self.log()
        log.remove(at: 4)
        #expect(Self.judge(log, [1: promises, 2: Self.promises[2] ?? []]).processes == 1)
    }

    @Test func whatAReaderSawMustBeThere() {
        var oracle = AppendOracle()
        for (base, rows) in Self.log() { oracle.see(baseOffset: base, rows: rows) }
        let seen = Self.promises.values.flatMap { $0 }
        #expect(oracle.verdict(onSeen: seen) == [])
        #expect(oracle.verdict(onSeen: [Self.promise(1, 9, 2, at: 18)]).count == 1)
        for place in seen.indices {
            var other = seen
            other[place].checksum ^= 1
            #expect(oracle.verdict(onSeen: other).count == 1)
        }
        #expect(Self.trimmed().verdict(onSeen: seen) == [])
    }
}
