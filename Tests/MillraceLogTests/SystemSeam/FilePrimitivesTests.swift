import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

/// Locks, space, mappings and words of files, one by one.
@Suite struct FilePrimitivesTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory("millrace-seam") }

    @Test func aLockIsSeenByOtherDescriptionsAlone() throws {
        let one = try FileHandle(directory.file("locks"), .createNew)
        let two = try FileHandle(directory.file("locks"), .readWrite)
        #expect(try one.tryLock(byte: 5))
        #expect(try !one.isLocked(byte: 5))
        #expect(try two.isLocked(byte: 5))
        #expect(try !two.isLocked(byte: 4) && !two.isLocked(byte: 6))
        #expect(try !two.tryLock(byte: 5))
        try one.unlock(byte: 5)
        #expect(try !two.isLocked(byte: 5))
        #expect(try two.tryLock(byte: 5))
        #expect(try one.isLocked(byte: 5))
    }

    @Test func aSharedLockKeepsOutTheExclusiveOneAlone() throws {
        let one = try FileHandle(directory.file("locks"), .createNew)
        let two = try FileHandle(directory.file("locks"), .read)
        let three = try FileHandle(directory.file("locks"), .readWrite)
        #expect(try one.tryShare(byte: 5) && two.tryShare(byte: 5))
        #expect(try !three.tryLock(byte: 5))
        try one.unlock(byte: 5)
        #expect(try !three.tryLock(byte: 5))
        try two.unlock(byte: 5)
        #expect(try three.tryLock(byte: 5))
        #expect(try !two.tryShare(byte: 5))
    }

    @Test func aTreeIsRemovedAndNotWhatItsLinksLeadTo() throws {
        try Files.createDirectory(directory.file("kept/below"))
        try Files.writeDurably(directory.file("kept/below/file"), [1])
        try Files.createDirectory(directory.file("tree"))
        for (target, link) in [("kept", "tree/directory"), ("kept/below/file", "tree/file")] {
            #expect(unsafe symlink(directory.file(target), directory.file(link)) == 0)
        }
        try Files.removeTree(directory.file("tree"))
        #expect(!Files.exists(directory.file("tree")))
        #expect(try Files.read(directory.file("kept/below/file"), maxBytes: 10) == [1])
        #expect(unsafe symlink(directory.file("kept"), directory.file("link")) == 0)
        try Files.removeTree(directory.file("link"))
        #expect(!Files.exists(directory.file("link")))
        #expect(Files.exists(directory.file("kept/below/file")))
    }

    @Test func identityFollowsTheFileAndNotItsName() throws {
        let file = try FileHandle(directory.file("a"), .createNew)
        try Files.renameDurably(directory.file("a"), directory.file("b"))
        let other = try FileHandle(directory.file("a"), .createNew)
        #expect(try FileHandle(directory.file("b"), .read).identity == file.identity)
        #expect(other.identity != file.identity)
    }

    @Test func allocationExtendsAndKeepsWhatIsThere() throws {
        let file = try FileHandle(directory.file("space"), .createNew)
        try file.write([1, 2, 3], at: 0)
        #expect(try file.allocate(from: 0, bytes: 2))
        #expect(try file.size() == 3)
        #expect(try file.allocate(from: 3, bytes: 97))
        #expect(try file.size() == 100)
        #expect(
            try Files.read(directory.file("space"), maxBytes: 100)
                == [1, 2, 3] + [UInt8](repeating: 0, count: 97))
    }

    @Test func whereNothingCanBeReservedTheFileIsExtended() throws {
        let file = try FileHandle(directory.file("space"), .createNew)
        let plan = FaultPlan(at: 1, .error(EOPNOTSUPP), .forever, kinds: [.allocate])
        try plan.run(on: directory.path) { () throws in
            #expect(try !file.allocate(from: 100, bytes: 50))
            #expect(try file.size() == 150)
            // What is long enough is not cut.
            #expect(try !file.allocate(from: 0, bytes: 10))
            #expect(try file.size() == 150)
        }
        let full = FaultPlan(at: 1, .error(ENOSPC), kinds: [.allocate])
        let error = #expect(throws: SystemError.self) {
            try full.run(on: directory.path) { _ = try file.allocate(from: 150, bytes: 50) }
        }
        #expect(error?.isOutOfSpace == true)
    }

    @Test(arguments: [ENOSYS, EOPNOTSUPP, EIO])
    func earlyWritebackIsOptional(_ code: Int32) throws {
        let file = try FileHandle(directory.file("early"), .createNew)
        let plan = FaultPlan(at: 1, .error(code), kinds: [.startWriteback])
        var failed = false
        do {
            try plan.run(on: directory.path) { try file.startWriteback(from: 0, bytes: 4096) }
        } catch { failed = true }
        #expect(plan.struck.count == 1)
        #expect(failed == (code == EIO))
    }

    @Test func populationIsOptional() throws {
        let plan = FaultPlan(at: 1, .error(EINVAL), kinds: [.populate])
        try plan.run(on: directory.path) { () throws in
            let file = try FileHandle(directory.file("pages"), .createNew)
            #expect(try file.allocate(from: 0, bytes: 16384))
            let map = try file.map(bytes: 16384, writable: true)
            #expect(try !map.populate(from: 5000, bytes: 5000))
        }
        let full = FaultPlan(at: 1, .error(EFAULT), kinds: [.populate])
        #expect(throws: SystemError.self) {
            try full.run(on: directory.path) {
                let file = try FileHandle(directory.file("pages"), .readWrite)
                _ = try file.map(bytes: 16384, writable: true).populate(from: 5000, bytes: 5000)
            }
        }
    }

    @Test func storesReachTheFile() throws {
        let file = try FileHandle(directory.file("words"), .createNew)
        try file.truncate(to: 64)
        let map = try file.map(bytes: 64, writable: true)
        let source: [UInt8] = [9, 8, 7]
        map.write(unsafe source.span.bytes, at: 61)
        map.word(at: 0).storeReleasing(1)
        let replaced = map.word(at: 0).exchange(2)
        #expect(replaced == 1)
        let relaxed = map.word(at: 0).loadRelaxed()
        #expect(relaxed == 2)
        map.word(at: 8).storeRelaxed(3)
        let added = map.word(at: 8).add(4)
        #expect(added == 7)
        let refused = map.word(at: 8).compareExchange(expected: 3, desired: 9)
        #expect(!refused)
        let exchanged = map.word(at: 8).compareExchange(expected: 7, desired: 0x0807)
        #expect(exchanged)
        map.futex(at: 16).advanceAndWake()
        let bytes = try Files.read(directory.file("words"), maxBytes: 64)
        #expect(bytes[0..<17] == [2, 0, 0, 0, 0, 0, 0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 1])
        #expect(bytes[61...] == [9, 8, 7])
    }

    @Test func theBootIsOneNumberOf56Bits() throws {
        let boot = try BootID.current(for: directory.path)
        #expect(boot > 0 && boot < 1 << 56)
        #expect(try BootID.current(for: "/") == boot)
        let pretended = PretendedBoot(0xFF00_0000_0000_0000)
        try pretended.run(on: directory.path) { () throws in
            #expect(try BootID.current(for: directory.file("below")) == 1)
            pretended.restart()
            pretended.restart()
            #expect(try BootID.current(for: directory.path) == 2)
            #expect(try BootID.current(for: "/") == boot)
        }
        #expect(try BootID.current(for: directory.path) == boot)
    }
}
