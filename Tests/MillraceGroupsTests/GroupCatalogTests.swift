import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

import MillraceGroups

@Suite("Group catalogue")
struct GroupCatalogTests {
    @Test(
        "Names that could leave the directory, or that no file can have, are refused",
        arguments: [
            "", ".", "..", "a/b", "/", "a b", "ä", "a\n", "a\0", "~",
            String(repeating: "x", count: 250),
        ])
    func names(name: String) throws {
        let directory = try TemporaryDirectory("millrace-groups")
        let catalog = GroupCatalog(dataDirectory: directory.path)
        let attempts: [() throws -> Void] = [
            { try GroupCatalog.validate(name) }, { _ = try catalog.open(name) },
            { _ = try catalog.describe(name) }, { try catalog.delete(name) },
        ]
        for attempt in attempts {
            let error = #expect(throws: GroupError.self, performing: attempt)
            #expect(error?.code == .invalidName)
        }
        #expect(try Files.list(directory.path).isEmpty)
    }

    @Test("Names that Kafka allows are allowed")
    func goodNames() throws {
        for name in ["a", "A-b_c.9", "...", String(repeating: "x", count: 249)] {
            try GroupCatalog.validate(name)
        }
    }

    @Test("Lists, describes and deletes")
    func lifeCycle() throws {
        let directory = try TemporaryDirectory("millrace-groups")
        let catalog = GroupCatalog(dataDirectory: directory.path)
        #expect(try catalog.names() == [])
        let before = Clock.wallNanoseconds()
        var group: GroupDirectory? = try catalog.open("score")
        _ = try catalog.open("prepare")
        try Files.createDirectory(directory.file("groups/no-group"))
        #expect(try catalog.names() == ["prepare", "score"])

        let handles = try group!.offsets.register(topic: "t", id: 9, partitions: 2)
        try group!.offsets.commit(handles[1], next: 5, generation: 1)
        let expected = [
            CommittedOffset(
                partition: TopicPartition(topic: "t", partition: 1), topicID: 9, next: 5)
        ]
        var description = try catalog.describe("score")
        #expect(description.isActive)
        #expect(description.holder == Int(getpid()))
        #expect(description.generation == 1)
        #expect(description.offsets == expected)
        #expect(description.damagedSlots == 0)
        #expect((before...Clock.wallNanoseconds()).contains(description.committedAt))

        let refused = #expect(throws: GroupError.self) { try catalog.delete("score") }
        #expect(refused?.code == .inUse)
        group = nil
        description = try catalog.describe("score")
        #expect(!description.isActive)
        #expect(description.holder == nil)
        #expect(description.offsets == expected)

        try catalog.delete("score")
        #expect(try catalog.names() == ["prepare"])
        for attempt in [{ _ = try catalog.describe("score") }, { try catalog.delete("score") }] {
            let error = #expect(throws: GroupError.self, performing: attempt)
            #expect(error?.code == .noSuchGroup)
        }
        // Made anew, it goes on counting: what generation 1 wrote elsewhere is not its own.
        let anew = try catalog.open("score")
        #expect(anew.generation == 2)
        #expect(anew.offsets.committed().isEmpty)
    }

    @Test("The generation grows with every opening, and beyond what the caller has seen")
    func generations() throws {
        let directory = try TemporaryDirectory("millrace-groups")
        let catalog = GroupCatalog(dataDirectory: directory.path)
        #expect(try catalog.open("g").generation == 1)
        #expect(try catalog.open("g").generation == 2)
        #expect(try catalog.open("g").advanceGeneration() == 4)
        #expect(try catalog.open("g", above: 41).generation == 42)
        try Files.remove(directory.file("groups/g/generation"))
        #expect(try catalog.open("g").generation == 43)
        let error = #expect(throws: GroupError.self) { try catalog.open("g", above: .max) }
        #expect(error?.code == .outOfGenerations)
    }

    @Test("A damaged generation file is refused with its place")
    func damagedGeneration() throws {
        let directory = try TemporaryDirectory("millrace-groups")
        let catalog = GroupCatalog(dataDirectory: directory.path)
        _ = try catalog.open("g")
        let path = directory.file("groups/g/generation")
        let whole = try Files.read(path, maxBytes: 100)
        #expect(whole.count == GenerationFile.byteCount)
        #expect(Array(whole[..<8]) == Array("MLRGGENR".utf8))
        #expect(Array(whole[12...]) == [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        for bit in 0..<whole.count * 8 {
            var bytes = whole
            bytes[bit / 8] ^= 1 << (bit % 8)
            try Files.writeDurably(path, bytes)
            let error = #expect(throws: GroupError.self) { try catalog.open("g") }
            #expect(error?.code == .corrupt, "bit \(bit)")
        }
        for length in 0..<whole.count {
            try Files.writeDurably(path, Array(whole[..<length]))
            let error = #expect(throws: GroupError.self) { try catalog.open("g") }
            #expect(error?.code == .corrupt, "\(length) bytes")
        }
        try Files.writeDurably(path, whole)
        #expect(try catalog.open("g").generation == 2)
    }

    @Test("What a writer left behind half-written is removed by the next owner")
    func temporaries() throws {
        let directory = try TemporaryDirectory("millrace-groups")
        let catalog = GroupCatalog(dataDirectory: directory.path)
        _ = try catalog.open("g")
        for name in ["offsets.tmp-1-2", "generation.tmp-3-4"] {
            try Files.writeDurably(directory.file("groups/g/\(name)"), [1])
        }
        _ = try catalog.open("g")
        #expect(
            try Files.list(directory.file("groups/g")) == ["generation", "lock", "offsets"])
    }

    @Test("Of two owners in two processes the second is told who the first is")
    func twoProcesses() async throws {
        let directory = try TemporaryDirectory("millrace-groups")
        let group = try GroupCatalog(dataDirectory: directory.path).open("g")
        await #expect(processExitsWith: .success) {
            [path = directory.path as String, owner = Int(getpid()) as Int] in
            let catalog = GroupCatalog(dataDirectory: path)
            let error = #expect(throws: GroupError.self) { try catalog.open("g") }
            #expect(error?.code == .inUse)
            #expect(error?.holder == owner)
            #expect(error?.description.contains("process \(owner)") == true)
            let description = try catalog.describe("g")
            #expect(description.isActive)
        }
        #expect(group.generation == 1)
    }

    @Test("A killed owner leaves whole commits, and its group can be had at once")
    func killed() async throws {
        for round in 1...4 {
            let directory = try TemporaryDirectory("millrace-groups")
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = directory.path as String, pause = UInt32(round * 7000) as UInt32] in
                try Self.commitUntilKilled(path, afterMicroseconds: pause)
            }
            let group = try GroupCatalog(dataDirectory: directory.path).open("g")
            let committed = Set(group.offsets.committed().map(\.next))
            let returned = try Files.readNext(directory.file("returned"))
            #expect(group.generation == 2)
            try #require(committed.count == 1, "a commit is whole")
            #expect(committed.contains(returned) || committed.contains(returned + 1))
        }
    }

    /// Commits the same offset for all partitions again and again, noting each that returned.
    private static func commitUntilKilled(
        _ path: String, afterMicroseconds pause: UInt32
    ) throws {
        let group = try GroupCatalog(dataDirectory: path).open("g")
        let handles = try group.offsets.register(
            topic: String(repeating: "t", count: 200), id: 1, partitions: 40)
        func commit(_ next: UInt64) throws {
            let positions = handles.map { OffsetStore.Position($0, next: next) }
            try group.offsets.commit(positions.span, generation: 1)
            try Files.writeNext(next, path + "/returned")
        }
        try commit(1)
        let killer = try PinnedThread(name: "killer", core: nil) {
            usleep(pause)
            kill(getpid(), SIGKILL)
        }
        for next in UInt64(2)...UInt64.max - 1 { try commit(next) }
        killer.join()
    }
}

extension Files {
    /// Notes a number where another process finds it.
    fileprivate static func writeNext(_ next: UInt64, _ path: String) throws {
        var bytes = [UInt8](repeating: 0, count: 8)
        LittleEndian.store(next, into: &bytes, at: 0)
        let file = try FileHandle(path, .openOrCreate)
        try file.write(unsafe bytes.span.bytes, at: 0)
    }

    fileprivate static func readNext(_ path: String) throws -> UInt64 {
        let bytes = try read(path, maxBytes: 8)
        return LittleEndian.load(bytes.span, at: 0)
    }
}
