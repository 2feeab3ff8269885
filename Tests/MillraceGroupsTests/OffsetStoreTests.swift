import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

import MillraceGroups

@Suite("Offset store")
struct OffsetStoreTests {
    private func open(_ directory: TemporaryDirectory) throws -> GroupDirectory {
        try GroupCatalog(dataDirectory: directory.path).open("g")
    }

    private func offsetsFile(_ directory: TemporaryDirectory) -> String {
        directory.file("groups/g/offsets")
    }

    @Test("What was committed is there after reopening", arguments: Seeds.all)
    func reopen(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let directory = try TemporaryDirectory("millrace-offsets")
        var expected: [TopicPartition: UInt64] = [:]
        for _ in 0..<6 {
            let group = try open(directory)
            #expect(group.offsets.damagedSlots == 0)
            var topics: [(name: String, handles: [OffsetStore.Handle])] = []
            for topic in 0..<random.number(in: 1...4) {
                let name = String(repeating: "t", count: topic * 60 + 1)
                let count = random.number(in: 1...30)
                let handles = try group.offsets.register(topic: name, id: 5, partitions: count)
                #expect(handles.count == count)
                topics.append((name, handles))
            }
            for _ in 0..<random.number(in: 0...40) {
                let (name, handles) = topics.randomElement(using: &random)!
                var positions: [OffsetStore.Position] = []
                for _ in 0..<random.number(in: 1...3) {
                    let partition = random.number(in: 0...handles.count - 1)
                    let next = random.next() >> 1
                    positions.append(.init(handles[partition], next: next))
                    expected[TopicPartition(topic: name, partition: partition)] = next
                }
                try group.offsets.commit(
                    positions.span, generation: group.generation, durable: random.unit() < 0.1)
            }
            #expect(Self.dictionary(group) == expected)
            for (name, handles) in topics {
                for (partition, handle) in handles.enumerated() {
                    let topicPartition = TopicPartition(topic: name, partition: partition)
                    #expect(group.offsets.committed(handle) == expected[topicPartition])
                    #expect(group.offsets.committed(topicPartition) == expected[topicPartition])
                }
            }
        }
        #expect(Self.dictionary(try open(directory)) == expected)
    }

    private static func dictionary(_ group: GroupDirectory) -> [TopicPartition: UInt64] {
        Dictionary(
            uniqueKeysWithValues: group.offsets.committed().map { ($0.partition, $0.next) })
    }

    /// Commits with random partitions and durability; gives the file after each, and whether all
    /// before it was then durable.
    private func history(
        _ random: inout SplitMix64, commits: Int
    ) throws -> [(file: [UInt8], isDurable: Bool)] {
        let directory = try TemporaryDirectory("millrace-offsets")
        let group = try open(directory)
        let handles = try group.offsets.register(
            topic: String(repeating: "x", count: 90), id: 1,
            partitions: random.number(in: 1...8))
        func file() throws -> [UInt8] { try Files.read(offsetsFile(directory), maxBytes: 1 << 20) }
        var history = [(file: try file(), isDurable: true)]
        for number in 1...commits {
            let isDurable = random.unit() < 0.25
            let positions = handles.map { OffsetStore.Position($0, next: UInt64(number)) }
            try group.offsets.commit(
                positions.span, generation: group.generation, durable: isDurable)
            history.append((try file(), isDurable))
        }
        return history
    }

    private func read(_ file: [UInt8]) throws -> OffsetFile.Contents {
        try OffsetFile.parse(file, path: "offsets", group: "g")
    }

    @Test("A kill at any byte of a write loses nothing that was committed", arguments: Seeds.all)
    func killedWrite(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let history = try history(&random, commits: 6)
        for (before, after) in zip(history, history.dropFirst()) {
            let old = try read(before.file).newest
            let new = try read(after.file).newest
            #expect(new.sequence == old.sequence + 1)
            let slotBytes = before.file.count / OffsetFile.slotCount
            let changed = (0..<OffsetFile.slotCount).filter {
                let range = $0 * slotBytes..<($0 + 1) * slotBytes
                return before.file[range] != after.file[range]
            }
            try #require(changed.count == 1, "a commit touches one slot")
            let begin = changed[0] * slotBytes
            for length in 0...new.byteCount {
                var torn = before.file
                torn.replaceSubrange(
                    begin..<begin + length, with: after.file[begin..<begin + length])
                let found = try read(torn)
                #expect(found.newest == (torn == after.file ? new : old), "\(length) bytes")
            }
        }
    }

    @Test(
        "A loss of power keeps what was durable, whichever sectors reached the disk",
        arguments: Seeds.all)
    func lostPower(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let history = try history(&random, commits: 12)
        let records = try history.map { try read($0.file).newest }
        for crash in history.indices {
            let durable = history[...crash].lastIndex { $0.isDurable }!
            for _ in 0..<20 {
                // Each sector holds what any one of the writes since the last sync left there.
                var disk = history[durable].file
                for sector in stride(from: 0, to: disk.count, by: 512) {
                    let source = history[random.number(in: durable...crash)].file
                    disk.replaceSubrange(
                        sector..<sector + 512, with: source[sector..<sector + 512])
                }
                let found = try read(disk).newest
                #expect(found.sequence >= records[durable].sequence)
                #expect(records[durable...crash].contains(found), "no mixture of commits")
            }
        }
    }

    @Test("One damaged slot is survived and counted, three are corruption with a place")
    func damage() throws {
        let directory = try TemporaryDirectory("millrace-offsets")
        var group: GroupDirectory? = try open(directory)
        let handles = try group!.offsets.register(topic: "t", id: 1, partitions: 1)
        for next in 1...3 {
            try group!.offsets.commit(
                handles[0], next: UInt64(next), generation: group!.generation)
        }
        group = nil
        let whole = try Files.read(offsetsFile(directory), maxBytes: 1 << 20)
        let newest = try read(whole).newest
        let slotBytes = whole.count / 3
        func flipped(_ slots: [Int]) -> [UInt8] {
            var bytes = whole
            for slot in slots { bytes[slot * slotBytes + 30] ^= 1 }
            return bytes
        }
        for slot in 0..<3 {
            let found = try read(flipped([slot]))
            #expect(found.damagedSlots == 1)
            #expect(found.newest.sequence >= newest.sequence - 1)
        }
        try Files.writeDurably(offsetsFile(directory), flipped([0, 1, 2]))
        let error = #expect(throws: GroupError.self) { try open(directory) }
        #expect(error?.code == .corrupt)
        #expect(error?.path == offsetsFile(directory))
        #expect(error?.byte == 8)
        #expect(error?.description.contains("byte 8: expected checksum 0x") == true)
        let catalog = GroupCatalog(dataDirectory: directory.path)
        #expect(throws: GroupError.self) { try catalog.describe("g") }
    }

    @Test("A file of another size is corruption", arguments: [0, 1, 4096, 12287, 12289, 16384])
    func sizes(size: Int) throws {
        let directory = try TemporaryDirectory("millrace-offsets")
        _ = try open(directory)
        let whole = try Files.read(offsetsFile(directory), maxBytes: 1 << 20)
        #expect(whole.count == 12288)
        let padding = [UInt8](repeating: 0, count: max(0, size - whole.count))
        try Files.writeDurably(offsetsFile(directory), Array(whole.prefix(size)) + padding)
        let error = #expect(throws: GroupError.self) { try open(directory) }
        #expect(error?.code == .corrupt)
        #expect(error?.byte == size)
    }

    @Test("A file of a later version is refused as such")
    func laterVersion() throws {
        let directory = try TemporaryDirectory("millrace-offsets")
        _ = try open(directory)
        var record = try read(Files.read(offsetsFile(directory), maxBytes: 1 << 20)).newest
            .unsealed().bytes
        record[16] = 9
        OffsetRecord.seal(&record)
        try Files.writeDurably(
            offsetsFile(directory), OffsetFile.bytes(record: record, slotBytes: 4096))
        let error = #expect(throws: GroupError.self) { try open(directory) }
        #expect(error?.code == .unsupportedVersion)
        #expect(error?.byte == 16)
    }

    @Test("Commits of another generation are refused and change nothing")
    func fencing() throws {
        let directory = try TemporaryDirectory("millrace-offsets")
        let group = try open(directory)
        let first = group.generation
        let handle = try group.offsets.register(topic: "t", id: 1, partitions: 1)[0]
        try group.offsets.commit(handle, next: 10, generation: first)
        let second = try group.advanceGeneration()
        #expect(second == first + 1)
        #expect(group.generation == second)
        let before = try Files.read(offsetsFile(directory), maxBytes: 1 << 20)
        for stale in [first, second + 1, 0] {
            let error = #expect(throws: GroupError.self) {
                try group.offsets.commit(handle, next: 99, generation: stale)
            }
            #expect(error?.code == .fenced)
        }
        #expect(try Files.read(offsetsFile(directory), maxBytes: 1 << 20) == before)
        #expect(group.offsets.committed(handle) == 10)
        try group.offsets.commit(handle, next: 11, generation: second)
        #expect(group.offsets.committed(handle) == 11)
    }

    @Test("Who still has the old file open harms nothing")
    func staleDescriptor() throws {
        let directory = try TemporaryDirectory("millrace-offsets")
        var group: GroupDirectory? = try open(directory)
        let handle = try group!.offsets.register(topic: "t", id: 1, partitions: 1)[0]
        try group!.offsets.commit(handle, next: 10, generation: group!.generation)
        let stale = try FileHandle(offsetsFile(directory), .readWrite)
        group = nil
        group = try open(directory)
        let ones = [UInt8](repeating: 0xFF, count: 12288)
        try stale.write(unsafe ones.span.bytes, at: 0)
        #expect(group!.offsets.committed(TopicPartition(topic: "t", partition: 0)) == 10)
        group = nil
        #expect(try open(directory).offsets.committed().map(\.next) == [10])
    }

    @Test("A topic made anew under its old name starts without offsets")
    func topicIdentity() throws {
        let directory = try TemporaryDirectory("millrace-offsets")
        let group = try open(directory)
        let old = try group.offsets.register(topic: "t", id: 1, partitions: 2)
        try group.offsets.commit(old[0], next: 10, generation: group.generation)
        #expect(try group.offsets.register(topic: "t", id: 1, partitions: 2) == old)
        #expect(group.offsets.committed(old[0]) == 10)
        try group.offsets.commit(old[1], next: 20, generation: group.generation)
        let grown = try group.offsets.register(topic: "t", id: 1, partitions: 3)
        #expect(Array(grown.prefix(2)) == old)
        #expect(group.offsets.committed().map(\.next) == [10, 20])
        // The new topic has fewer partitions; what was committed beyond them is forgotten too.
        let new = try group.offsets.register(topic: "t", id: 2, partitions: 1)
        #expect(group.offsets.committed() == [])
        try group.offsets.commit(new[0], next: 4, generation: group.generation)
        #expect(
            group.offsets.committed() == [
                CommittedOffset(
                    partition: TopicPartition(topic: "t", partition: 0), topicID: 2, next: 4)
            ])
    }

    @Test("Forgotten offsets stay forgotten")
    func forget() throws {
        let directory = try TemporaryDirectory("millrace-offsets")
        var group: GroupDirectory? = try open(directory)
        let handles = try group!.offsets.register(topic: "t", id: 1, partitions: 3)
        let positions = handles.map { OffsetStore.Position($0, next: 7) }
        try group!.offsets.commit(positions.span, generation: group!.generation)
        try group!.offsets.forget([handles[0], handles[2]], generation: group!.generation)
        group = nil
        #expect(try open(directory).offsets.committed().map(\.partition.partition) == [1])
    }

    @Test("A commit that cannot be written changes nothing, and the next one can")
    func failedWrite() async throws {
        await #expect(processExitsWith: .success) {
            signal(SIGXFSZ, SIG_IGN)
            let directory = try TemporaryDirectory("millrace-offsets")
            let group = try GroupCatalog(dataDirectory: directory.path).open("g")
            let handles = try group.offsets.register(topic: "t", id: 1, partitions: 2)
            try group.offsets.commit(handles[0], next: 1, generation: 1)
            var limit = rlimit()
            unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let unlimited = limit
            limit.rlim_cur = 1000
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            let positions = handles.map { OffsetStore.Position($0, next: 2) }
            let error = #expect(throws: GroupError.self) {
                try group.offsets.commit(positions.span, generation: 1)
            }
            #expect(error?.code == .system)
            #expect(error?.cause?.errno == EFBIG)
            #expect(group.offsets.committed().map(\.next) == [1])
            limit = unlimited
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            try group.offsets.commit(handles[1], next: 3, generation: 1)
            let described = try GroupCatalog(dataDirectory: directory.path).describe("g")
            #expect(described.offsets.map(\.next) == [1, 3])
            #expect(described.offsets == group.offsets.committed())
        }
    }

    @Test("A file that could not grow takes no further commits")
    func failedGrowth() throws {
        let directory = try TemporaryDirectory("millrace-offsets")
        let group = try open(directory)
        let handle = try group.offsets.register(topic: "t", id: 1, partitions: 1)[0]
        try Files.removeTree(directory.file("groups/g"))
        let name = String(repeating: "u", count: 200)
        for attempt: () throws -> Void in [
            { _ = try group.offsets.register(topic: name, id: 1, partitions: 100) },
            { try group.offsets.commit(handle, next: 1, generation: 1) },
            { try group.offsets.sync() },
        ] {
            let error = #expect(throws: GroupError.self, performing: attempt)
            #expect(error?.code == .system)
        }
        #expect(group.offsets.committed(handle) == nil)
    }

    @Test("Commits from many threads are all kept, and each is whole")
    func threads() async throws {
        let directory = try TemporaryDirectory("millrace-offsets")
        let group = try open(directory)
        let handles = try group.offsets.register(topic: "t", id: 1, partitions: 8)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for member in 0..<4 {
                let pair = [handles[2 * member], handles[2 * member + 1]]
                tasks.addTask {
                    for next in 1...500 {
                        let positions = pair.map { OffsetStore.Position($0, next: UInt64(next)) }
                        try group.offsets.commit(
                            positions.span, generation: group.generation, durable: next % 250 == 0)
                    }
                }
            }
            // An observer in between sees pairs that were committed together.
            for _ in 0..<200 {
                let file = try GroupCatalog(dataDirectory: directory.path).describe("g")
                let next = Dictionary(
                    uniqueKeysWithValues: file.offsets.map { ($0.partition.partition, $0.next) })
                for member in 0..<4 { #expect(next[2 * member] == next[2 * member + 1]) }
            }
            try await tasks.waitForAll()
        }
        #expect(group.offsets.committed().map(\.next) == Array(repeating: 500, count: 8))
    }
}
