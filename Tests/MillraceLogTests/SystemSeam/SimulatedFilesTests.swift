import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

/// What the simulated disk keeps of the content of files.
@Suite struct SimulatedFilesTests {
    private let directory: TemporaryDirectory
    private let seeds: Range<UInt64> = 0..<400

    init() throws { directory = try TemporaryDirectory("millrace-disk") }

    /// A file of 4 sectors of ones that is on the disk.
    private func durableFile() throws {
        let file = try FileHandle(directory.file("file"), .createNew)
        try file.write([UInt8](repeating: 1, count: 2048), at: 0)
    }

    /// The first byte of each sector, when the sectors are whole.
    private func sectors(_ bytes: [UInt8]?) throws -> [UInt8] {
        let bytes = try #require(bytes)
        return try stride(from: 0, to: bytes.count, by: 512).map { start in
            let sector = bytes[start..<min(start + 512, bytes.count)]
            let first = try #require(sector.first)
            #expect(sector.allSatisfy { $0 == first })
            return first
        }
    }

    /// Every content that `file` can have after the first `index` events.
    private func outcomes(_ disk: SimulatedDisk, upTo index: Int? = nil) throws -> Set<[UInt8]> {
        Set(
            try seeds.map {
                let image = disk.image(upTo: index ?? disk.mark(), seed: $0)
                return try sectors(image.contents["file"])
            })
    }

    private func fill(_ file: borrowing FileHandle, _ value: UInt8, _ range: Range<Int>) throws {
        try file.write(
            [UInt8](repeating: value, count: range.count * 512), at: range.lowerBound * 512)
    }

    @Test func eachUnsyncedSectorHoldsAnyOfItsVersions() throws {
        try durableFile()
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let file = try FileHandle(directory.file("file"), .readWrite)
        try fill(file, 2, 1..<3)
        try fill(file, 3, 2..<3)
        let before = disk.mark()
        let possible = Set(
            [1, 2].flatMap { one in [1, 2, 3].map { two in [1, one, two, 1] as [UInt8] } })
        #expect(try outcomes(disk) == possible)
        try file.syncData()
        #expect(try outcomes(disk) == [[1, 2, 3, 1]])
        // An earlier moment is as it was.
        #expect(try outcomes(disk, upTo: before) == possible)
        #expect(try outcomes(disk, upTo: 0) == [[1, 1, 1, 1]])
    }

    @Test func aSizeThatWasNotSyncedIsOldOrNew() throws {
        try durableFile()
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let file = try FileHandle(directory.file("file"), .readWrite)
        try fill(file, 2, 4..<5)
        #expect(try outcomes(disk) == [[1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 1, 2]])
        try file.sync()
        #expect(try outcomes(disk) == [[1, 1, 1, 1, 2]])
        #expect(try file.allocate(from: 2560, bytes: 512))
        #expect(try outcomes(disk) == [[1, 1, 1, 1, 2], [1, 1, 1, 1, 2, 0]])
        try file.syncData()
        try file.truncate(to: 1024)
        #expect(try outcomes(disk) == [[1, 1, 1, 1, 2, 0], [1, 1]])
        // What was cut off does not come back when the file grows again.
        try file.truncate(to: 1536)
        #expect(try outcomes(disk) == [[1, 1, 1, 1, 2, 0], [1, 1], [1, 1, 0]])
        try fill(file, 3, 2..<3)
        #expect(
            try outcomes(disk) == [[1, 1, 1, 1, 2, 0], [1, 1], [1, 1, 0], [1, 1, 3]])
        try file.syncData()
        #expect(try outcomes(disk) == [[1, 1, 3]])
    }

    @Test func mappedStoresAreLostLikeWrites() throws {
        try durableFile()
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let file = try FileHandle(directory.file("file"), .readWrite)
        let map = try file.map(bytes: 2048, writable: true)
        let twos = [UInt8](repeating: 2, count: 512)
        map.write(unsafe twos.span.bytes, at: 512)
        #expect(try outcomes(disk) == [[1, 1, 1, 1], [1, 2, 1, 1]])
        try map.sync(bytes: 2048)
        #expect(try outcomes(disk) == [[1, 2, 1, 1]])
        for value in 1...3 as ClosedRange<UInt64> { map.word(at: 1024).storeReleasing(value) }
        let words = Set(
            try seeds.map {
                let image = disk.image(upTo: disk.mark(), seed: $0)
                return try #require(image.contents["file"])[1024]
            })
        #expect(words == [1, 2, 3])
    }

    @Test func aPartOfAMappingCanBeSynced() throws {
        let file = try FileHandle(directory.file("file"), .createNew)
        try file.truncate(to: 8192)
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let seen = try FileHandle(directory.file("file"), .readWrite)
        let map = try seen.map(bytes: 8192, writable: true)
        map.word(at: 100 * 8).storeReleasing(1)
        map.word(at: 600 * 8).storeReleasing(2)
        try map.sync(bytes: 4096)
        var second: Set<UInt8> = []
        for seed in seeds {
            let image = disk.image(upTo: disk.mark(), seed: seed)
            let bytes = try #require(image.contents["file"])
            #expect(bytes.count == 8192 && bytes[800] == 1)
            second.insert(bytes[4800])
        }
        #expect(second == [0, 2])
    }

    @Test func whatAFailedSyncLeftIsNotSavedByTheNext() throws {
        try durableFile()
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let file = try FileHandle(directory.file("file"), .readWrite)
        try fill(file, 2, 0..<2)
        let plan = FaultPlan(at: 1, .error(EIO), kinds: [.syncData])
        plan.run(on: directory.path) {
            #expect(throws: SystemError.self) { try file.syncData() }
        }
        try fill(file, 3, 3..<4)
        try file.syncData()
        #expect(
            try outcomes(disk) == [[1, 1, 1, 3], [1, 2, 1, 3], [2, 1, 1, 3], [2, 2, 1, 3]])
        // Written again, it is.
        try file.write([2], at: 0)
        try file.syncData()
        #expect(try outcomes(disk) == [[2, 1, 1, 3], [2, 2, 1, 3]])
    }

    @Test func aShortWriteIsRecordedAsFarAsItWent() throws {
        try durableFile()
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let file = try FileHandle(directory.file("file"), .readWrite)
        let plan = FaultPlan(at: 1, .short(by: 512), kinds: [.write])
        try plan.run(on: directory.path) { try fill(file, 2, 0..<4) }
        #expect(plan.calls == 2)
        try file.sync()
        let end = disk.mark()
        #expect(try outcomes(disk) == [[2, 2, 2, 2]])
        // Between the two writes, the last sector is certainly old.
        #expect(end == 3)
        let half = try outcomes(disk, upTo: 1)
        #expect(half.count == 8 && half.allSatisfy { $0[3] == 1 })
        let broken = FaultPlan(at: 2, .error(ENOSPC), .forever, kinds: [.write])
        let short = FaultPlan(at: 1, .short(by: 512), kinds: [.write])
        #expect(throws: SystemError.self) {
            try broken.run(on: directory.path) {
                try short.run(on: directory.path) { try fill(file, 3, 0..<2) }
            }
        }
        try file.sync()
        #expect(try outcomes(disk) == [[3, 2, 2, 2]])
    }

    @Test func oneSectorOfManyCanBeTheOneThatIsLostOrKept() throws {
        try FileHandle(directory.file("file"), .createNew).truncate(to: 64 * 512)
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let file = try FileHandle(directory.file("file"), .readWrite)
        try fill(file, 1, 0..<64)
        let kept = Set(try outcomes(disk).map { $0.count { $0 == 1 } })
        #expect(kept.isSuperset(of: [0, 1, 2, 62, 63, 64]))
        #expect(kept.contains { (16...48).contains($0) })
    }

    /// Random writes and syncs against a model that remembers every version of every sector.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func noSectorHoldsWhatItNeverHeld(_ seed: UInt64) throws {
        print("seed \(seed)")
        try durableFile()
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let file = try FileHandle(directory.file("file"), .readWrite)
        var random = SplitMix64(seed: seed)
        var now = [UInt8](repeating: 1, count: 2048)
        var possible = [Set<[UInt8]>](repeating: [Array(now[0..<512])], count: 4)
        for step in 0..<60 {
            if random.next() % 8 == 0 {
                try file.syncData()
                possible = (0..<4).map { [Array(now[$0 * 512..<($0 + 1) * 512])] }
            } else {
                let start = Int(random.next() % 2048)
                let count = 1 + Int(random.next() % UInt64(2048 - start))
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: step), count: count)
                try file.write(bytes, at: start)
                now.replaceSubrange(start..<start + count, with: bytes)
                for sector in start / 512...(start + count - 1) / 512 {
                    possible[sector].insert(Array(now[sector * 512..<(sector + 1) * 512]))
                }
            }
            for choice in 0..<8 as Range<UInt64> {
                let image = disk.image(upTo: disk.mark(), seed: seed &* 1000 &+ choice)
                let bytes = try #require(image.contents["file"])
                #expect(bytes.count == 2048)
                for sector in 0..<4 {
                    #expect(
                        possible[sector].contains(Array(bytes[sector * 512..<(sector + 1) * 512])))
                }
            }
        }
    }
}
