import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Synchronization
import Testing

@testable import MillraceGroups

@Suite("Cores of several groups")
struct CoreSharingTests {
    private let fixture: GroupFixture
    private let core = CPU.allowed()[0]

    init() throws { fixture = try GroupFixture(partitions: 2) }

    private func group(
        _ name: String, cores: [Int]?, _ sharing: CoreSharing = .refused
    ) throws(GroupError) -> ConsumerGroup {
        try ConsumerGroup(
            data: fixture.data, name: name, topics: [fixture.topic], cores: cores,
            coreSharing: sharing)
    }

    @Test("A core of another group is refused, by the name of who has it, and nothing is changed")
    func refused() throws {
        let first = try group("first", cores: [core])
        let before = try fixture.catalog.describe("first")
        let error = #expect(throws: GroupError.self) { _ = try group("second", cores: [core]) }
        #expect(error?.code == .coreInUse)
        let ourselves = try ProcessIdentity.current().pid
        #expect(error?.holder == Int(ourselves))
        #expect(
            error?.description
                == "core \(core) is in use by group 'first', process \(ourselves): name another "
                + "core for group 'second', or allow it to share")
        #expect(try fixture.catalog.names() == ["first"])
        #expect(!Files.exists(fixture.directory.file("groups/second")))
        #expect(try fixture.catalog.describe("first") == before)
        _ = first.name
    }

    @Test("Members of one group, and those who say so, share; who left does not count")
    func shared() throws {
        var first: ConsumerGroup? = try group("first", cores: [core])
        let again = try group("first", cores: [core])
        let allowed = try group("second", cores: [core], .allowed)
        let sibling = try group("third", cores: [core], .withinProcess)
        #expect(try allowed.sharedCores().map(\.group) == ["first", "first", "third"])
        #expect(try fixture.catalog.coreUses().map(\.core) == [core, core, core, core])
        first = nil
        _ = (first?.name, again.name, sibling.name)
    }

    @Test("A core is free again when its group has left it")
    func freeAgain() throws {
        var first: ConsumerGroup? = try group("first", cores: [core])
        try first?.run { _ in }
        let second = try group("second", cores: [core])
        let error = #expect(throws: GroupError.self) { try first?.run { _ in } }
        #expect(error?.code == .coreInUse)
        first = nil
        _ = second.name
    }

    @Test("Cores that are not named are those that are free, and all when none is")
    func automatic() throws {
        let topology = CoreTopology(
            existing: Array(0..<8), allowed: Array(0..<8),
            siblings: Dictionary(uniqueKeysWithValues: (0..<8).map { ($0, [$0 % 4, $0 % 4 + 4]) }))
        #expect(CoreList(automaticOn: topology, avoiding: []).cores == [0, 1, 2, 3])
        // The other thread of a physical core that is in use is not free.
        #expect(CoreList(automaticOn: topology, avoiding: [1, 6]).cores == [0, 3])
        #expect(CoreList(automaticOn: topology, avoiding: [0, 1, 2, 7]).cores == [0, 1, 2, 3])

        let all = CoreList(automaticOn: .current()).cores
        let first = try group("first", cores: [all[0]])
        let second = try group("second", cores: nil)
        #expect(second.cores == (all.count > 1 ? Array(all.dropFirst()) : all))
        let third = try group("third", cores: nil)
        #expect(third.cores == all)
        #expect(Set(try third.sharedCores().map(\.group)) == ["first", "second"])
        _ = first.name
    }

    @Test("A damaged group is in nobody's way")
    func damagedGroup() throws {
        try group("broken", cores: [core]).run { _ in }
        let page = fixture.directory.file("groups/broken/page")
        try FileHandle(page, .readWrite).write([0xFF], at: 64)
        _ = try group("second", cores: [core])
    }

    @Test("Of groups that take one core at the same moment one gets it")
    func race() throws {
        for round in 0..<10 {
            let won = Lock<[ConsumerGroup]>([])
            let refused = Atomic<Int>(0)
            let threads = try (0..<3).map { index in
                try PinnedThread(name: "racer", core: nil) {
                    do {
                        let group = try group("racer-\(round)-\(index)", cores: [core])
                        won.withLock { $0.append(group) }
                    } catch {
                        if (error as? GroupError)?.code == .coreInUse {
                            refused.add(1, ordering: .relaxed)
                        }
                    }
                }
            }
            for thread in threads { thread.join() }
            #expect(won.withLock { $0.count } == 1)
            #expect(refused.load(ordering: .relaxed) == 2)
        }
    }

    @Test("A consumer's thread runs on its core and on no other")
    func pinned() throws {
        let cores = Array(CoreList(automaticOn: .current()).cores.prefix(2))
        try fixture.append(batches: 3)
        let found = Lock<[Int: [Int]]>([:])
        let group = try group("pinned", cores: cores)
        try group.run { consumer in
            found.withLock { $0[consumer.core] = CPU.allowed() }
        }
        #expect(found.withLock { $0 } == Dictionary(uniqueKeysWithValues: cores.map { ($0, [$0]) }))
    }
}
