import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Synchronization
import Testing

@testable import MillraceGroups

@Suite("Group catalogue")
struct GroupCatalogTests {
    @Test(
        "Names that could leave the directory, or that no file can have, are refused",
        arguments: [
            "", ".", "..", "a/b", "/", "a b", "ä", "a\n", "a\0", "~",
            String(repeating: "x", count: 250),
        ])
    func names(name: String) throws {
        let fixture = try GroupFixture(partitions: 1)
        let catalog = fixture.catalog
        let attempts: [() throws -> Void] = [
            { try GroupCatalog.validate(name) },
            { _ = try ConsumerGroup(data: fixture.data, name: name, topics: [fixture.topic]) },
            { _ = try catalog.describe(name) }, { try catalog.delete(name) },
            { _ = try catalog.reset(name, topic: "rows", to: .earliest) },
        ]
        for attempt in attempts {
            let error = #expect(throws: GroupError.self, performing: attempt)
            #expect(error?.code == .invalidName)
        }
        #expect(!Files.exists(fixture.directory.file("groups")))
    }

    @Test("Names that Kafka allows are allowed")
    func goodNames() throws {
        for name in ["a", "A-b_c.9", "...", String(repeating: "x", count: 249)] {
            try GroupCatalog.validate(name)
        }
    }

    @Test("Who is stopped while making a group holds nobody up, and changes nothing later")
    func stoppedMaker() throws {
        for call in 0... {
            let fixture = try GroupFixture(partitions: 2)
            try fixture.append(batches: 3)
            let path = fixture.directory.file("groups/g")
            let point = StopPoint.atCall(skipping: call) { $0.path.hasPrefix(path) }
            DiskObservation.install(point, on: fixture.directory.path)
            defer { DiskObservation.remove(point) }
            let isDone = Atomic<Bool>(false)
            let failure = Lock<GroupError?>(nil)
            let maker = try PinnedThread(name: "maker", core: nil) {
                do throws(GroupError) {
                    _ = try GroupFiles(
                        root: fixture.directory.file("groups"), group: "g", create: true)
                } catch { failure.withLock { $0 = error } }
                isDone.store(true, ordering: .releasing)
            }
            while !point.isReached && !isDone.load(ordering: .acquiring) {
                PinnedThread.sleep(nanoseconds: 100_000)
            }
            guard point.isReached else {
                maker.join()
                // Opening, writing, syncing and renaming two files, at the least.
                #expect(call >= 8)
                return
            }
            let group = try fixture.group()
            try group.consumeToEnd { _, _ in }
            point.release()
            maker.join()
            #expect(failure.withLock { $0 } == nil)
            #expect(try group.committed(fixture.partition(0)) == 3)
            #expect(try fixture.group().committed(fixture.partition(1)) == 3)
        }
    }

    @Test("Lists, describes, resets and deletes")
    func lifeCycle() throws {
        let fixture = try GroupFixture(partitions: 2)
        let catalog = fixture.catalog
        #expect(try catalog.names() == [])
        try fixture.append(batches: 6)
        var group: ConsumerGroup? = try fixture.group()
        try group?.run { consumer in
            let claims = try consumer.changes()?.granted ?? []
            try consumer.commit(claims[0], next: 4)
        }
        group = try fixture.group()
        try Files.createDirectory(fixture.directory.file("groups/no-group"))
        #expect(try catalog.names() == ["g"])
        var description = try catalog.describe("g")
        #expect(description.state == .stable)
        let ours = try ProcessIdentity.current()
        #expect(description.members.map(\.process) == [Int(ours.pid)])
        #expect(description.members.map(\.core) == [0])
        #expect(description.partitions.map(\.partition) == (0..<2).map(fixture.partition))
        #expect(description.partitions.map(\.committed) == [4, nil])
        #expect(description.partitions.map(\.end) == [6, 6])
        #expect(description.partitions.map(\.lag) == [2, 6])
        #expect(description.partitions.allSatisfy { $0.owner == description.members[0] })

        let attempts: [() throws -> Void] = [
            { try catalog.delete("g") }, { _ = try catalog.reset("g", topic: "rows", to: .latest) },
        ]
        for attempt in attempts {
            let error = #expect(throws: GroupError.self, performing: attempt)
            #expect(error?.code == .inUse)
            #expect(error?.holder == description.members[0].process)
        }
        #expect(try catalog.describe("g") == description)

        group = nil
        #expect(try catalog.describe("g").state == .empty)
        #expect(try catalog.reset("g", topic: "rows", to: .offset(1)) == [1, 1])
        #expect(try catalog.describe("g").partitions.map(\.committed) == [1, 1])
        let unknown = #expect(throws: GroupError.self) {
            _ = try catalog.reset("g", topic: "none", to: .latest)
        }
        #expect(unknown?.code == .noSuchTopic)

        let generation = try catalog.describe("g").generation
        try catalog.delete("g")
        #expect(try catalog.names() == [])
        for attempt in [{ _ = try catalog.describe("g") }, { try catalog.delete("g") }] {
            let error = #expect(throws: GroupError.self, performing: attempt)
            #expect(error?.code == .noSuchGroup)
        }
        // Made anew, it goes on counting: what an old member tries is not its own.
        group = try fixture.group()
        description = try catalog.describe("g")
        #expect(description.generation > generation)
        #expect(description.partitions.map(\.committed) == [nil, nil])
        _ = group?.name
    }

    @Test("What was committed for a topic that is gone means nothing for another of its name")
    func otherTopic() throws {
        let fixture = try GroupFixture(partitions: 1)
        try fixture.append(batches: 3)
        try fixture.group().consumeToEnd { _, _ in }
        try fixture.data.deleteTopic("rows")
        let anew = try fixture.data.topic(
            "rows", creating: TopicConfiguration(partitions: 1, kind: .bytes))
        let group = try fixture.group(topics: [anew])
        #expect(try group.committed(fixture.partition(0)) == nil)
    }

    @Test("Every flipped bit of the page that means anything is refused with its place")
    func damagedPage() throws {
        let fixture = try GroupFixture(partitions: 1)
        try fixture.append(batches: 3)
        try fixture.group().consumeToEnd { _, _ in }
        let path = fixture.directory.file("groups/g/page")
        let whole = try Files.read(path, maxBytes: 1 << 20)
        let words = [0, 64, GroupPage.partitionsByte, GroupPage.partitionsByte + 8]
        for bit in words.flatMap({ byte in (byte * 8)..<(byte * 8 + 64) }) {
            var bytes = whole
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            try FileHandle(path, .readWrite).write(bytes, at: 0)
            let error = #expect(throws: GroupError.self, "bit \(bit)") {
                _ = try fixture.catalog.describe("g")
            }
            #expect(error?.code == .corrupt && error?.path == path, "bit \(bit): \(error as Any)")
            #expect(error?.byte.map { $0 / 8 } == bit / 64, "bit \(bit): \(error as Any)")
        }
        try FileHandle(path, .readWrite).write(whole, at: 0)
        #expect(try fixture.catalog.describe("g").partitions.map(\.committed) == [3])
    }

    @Test("After the machine went down nobody is in the group, and generations go on above")
    func anotherBoot() throws {
        let fixture = try GroupFixture(partitions: 1)
        try fixture.append(batches: 3)
        try fixture.group().consumeToEnd { _, _ in }
        let before = try fixture.catalog.describe("g")
        let files = try GroupFiles(
            root: fixture.directory.file("groups"), group: "g", create: false)
        // The record that was current was never written to the disk.
        let place = try files.page.place(at: GroupPage.currentByte, "g")
        let ceiling = try files.generationCeiling()
        files.page.store(1, at: GroupPage.bootByte)
        let session = try GroupSession(
            root: fixture.directory.file("groups"), group: "g", create: false)
        _ = try session.change { $0.leave([], now: 1) }
        #expect(place.version > 1)
        let after = try fixture.catalog.describe("g")
        #expect(after.generation > ceiling && ceiling > before.generation)
        #expect(after.partitions.map(\.committed) == [3])
        #expect(after.state == .empty)
    }
}
