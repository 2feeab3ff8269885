import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

/// What the simulated disk keeps of names, and how its record is used.
@Suite struct SimulatedNamesTests {
    private let directory: TemporaryDirectory
    private let seeds: Range<UInt64> = 0..<400

    init() throws { directory = try TemporaryDirectory("millrace-disk") }

    private func create(_ name: String, _ text: String = "", sync: Bool = false) throws {
        let file = try FileHandle(directory.file(name), .createNew)
        try file.write(Array(text.utf8), at: 0)
        if sync { try file.sync() }
    }

    /// Every set of files and their texts that can be left.
    private func outcomes(_ disk: SimulatedDisk, upTo index: Int? = nil) -> Set<[String: String]> {
        Set(
            seeds.map {
                disk.image(upTo: index ?? disk.mark(), seed: $0).contents
                    .mapValues { String(decoding: $0, as: UTF8.self) }
            })
    }

    @Test func aNewNameLastsOnceItsDirectoryIsSynced() throws {
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        try create("a", "text", sync: true)
        // The file is synced, its name is not.
        #expect(outcomes(disk) == [[:], ["a": "text"]])
        try Files.syncDirectory(directory.path)
        #expect(outcomes(disk) == [["a": "text"]])
        try Files.remove(directory.file("a"))
        #expect(outcomes(disk) == [["a": "text"], [:]])
        try Files.syncDirectory(directory.path)
        #expect(outcomes(disk) == [[:]])
    }

    @Test func aNameCanLastWithoutItsContent() throws {
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        try create("a", "text")
        try Files.syncDirectory(directory.path)
        #expect(outcomes(disk) == [["a": ""], ["a": "\0\0\0\0"], ["a": "text"]])
    }

    @Test func namesLastEachForItself() throws {
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        for name in ["a", "b", "c"] { try create(name) }
        #expect(Set(outcomes(disk).map { $0.keys.sorted() }).count == 8)
    }

    @Test func aRenameIsWholeOrNotAtAll() throws {
        try create("to", "old")
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        try create("from", "new", sync: true)
        try Files.syncDirectory(directory.path)
        try FileHandle(directory.file("to"), .readWrite).syncData()
        let plan = FaultPlan(at: 1, .error(EIO), kinds: [.sync])
        plan.run(on: directory.path) {
            #expect(throws: SystemError.self) {
                try Files.renameDurably(directory.file("from"), directory.file("to"))
            }
        }
        #expect(outcomes(disk) == [["from": "new", "to": "old"], ["to": "new"]])
        try Files.syncDirectory(directory.path)
        #expect(outcomes(disk) == [["to": "new"]])
    }

    @Test func aRenameBetweenDirectoriesNeverLosesTheFile() throws {
        for name in ["one", "two"] { try Files.createDirectory(directory.file(name)) }
        try create("one/file", "text")
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let plan = FaultPlan(at: 1, .error(EIO), kinds: [.sync])
        plan.run(on: directory.path) {
            #expect(throws: SystemError.self) {
                try Files.renameDurably(directory.file("one/file"), directory.file("two/file"))
            }
        }
        let either: Set = [["one/file": "text"], ["two/file": "text"]]
        #expect(outcomes(disk) == either)
        try Files.syncDirectory(directory.file("one"))
        #expect(outcomes(disk) == either)
        try Files.syncDirectory(directory.file("two"))
        #expect(outcomes(disk) == [["two/file": "text"]])
    }

    @Test func whatIsInALostDirectoryIsLost() throws {
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let plan = FaultPlan(at: 1, .error(EIO), kinds: [.sync])
        plan.run(on: directory.path) {
            #expect(throws: SystemError.self) {
                try Files.createDirectory(directory.file("below"))
            }
        }
        try create("below/file", "text", sync: true)
        try Files.syncDirectory(directory.file("below"))
        #expect(outcomes(disk) == [[:], ["below/file": "text"]])
        // Making it again makes its name durable.
        try Files.createDirectory(directory.file("below"))
        #expect(outcomes(disk) == [["below/file": "text"]])
    }

    @Test func aFileIsKnownByItsHandleWhateverItIsCalled() throws {
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let file = try FileHandle(directory.file("draft"), .createNew)
        try file.write(Array("a".utf8), at: 0)
        try Files.renameDurably(directory.file("draft"), directory.file("final"))
        try create("draft", "other", sync: true)
        try Files.syncDirectory(directory.path)
        try file.write(Array("b".utf8), at: 1)
        try file.sync()
        #expect(outcomes(disk) == [["draft": "other", "final": "ab"]])
    }

    @Test func aDurableWriteIsOldOrNewAtEveryMoment() throws {
        try create("value", "old")
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        try Files.writeDurably(directory.file("value"), Array("newer".utf8))
        let end = disk.mark()
        #expect(end == 5)
        for index in 0...end {
            let texts = Set(outcomes(disk, upTo: index).map { $0["value"] })
            #expect(index == end ? texts == ["newer"] : texts.isSubset(of: ["old", "newer"]))
        }
        #expect(outcomes(disk) == [["value": "newer"]])
    }

    @Test func theSameSeedGivesTheSameDisk() throws {
        let disk = try SimulatedDisk(root: directory.path, boot: 7)
        #expect(try BootID.current(for: directory.file("any")) == 7)
        var random = SplitMix64(seed: 1)
        for number in 0..<20 {
            try create("file \(number)", String(random.next()), sync: number % 3 == 0)
        }
        disk.stop()
        let end = disk.mark()
        var images: Set<Int> = []
        for seed in 0..<50 as Range<UInt64> {
            let late = disk.image(upTo: end, seed: seed)
            // Going back and forth in the record changes nothing.
            let early = disk.image(upTo: end / 2, seed: seed)
            #expect(disk.image(upTo: end, seed: seed) == late)
            #expect(disk.image(upTo: end / 2, seed: seed) == early)
            images.insert(late.contents.hashValue)
        }
        #expect(images.count > 25)
        #expect(disk.record(0..<end).split(separator: "\n").count == end)
        #expect(try BootID.current(for: directory.file("any")) != 7)
    }

    @Test func aDiskCanBeUsedAfterItsCrash() throws {
        let disk = try SimulatedDisk(root: directory.path)
        try Files.createDirectory(directory.file("below"))
        let bytes = [UInt8](repeating: 1, count: 5000) + [UInt8](repeating: 0, count: 20_000)
        try Files.writeDurably(directory.file("below/file"), bytes + [2])
        disk.stop()
        let after = try TemporaryDirectory("millrace-disk")
        try disk.materialize(upTo: disk.mark(), seed: 1, into: after.file("root"))
        let second = try SimulatedDisk(root: after.file("root"), boot: 2)
        defer { second.stop() }
        #expect(try Files.read(after.file("root/below/file"), maxBytes: 30_000) == bytes + [2])
        #expect(try BootID.current(for: after.file("root/below")) == 2)
        #expect(second.image(upTo: 0, seed: 1) == disk.image(upTo: disk.mark(), seed: 1))
        try FileHandle(after.file("root/below/file"), .readWrite).write([3], at: 0)
        #expect(second.mark() == 1)
    }
}
