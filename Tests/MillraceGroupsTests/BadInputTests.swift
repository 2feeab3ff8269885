import Glibc
import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceGroups

/// What cannot be done is refused by one clear error, and nothing is changed.
@Suite("Bad input to groups")
struct BadInputTests {
    private let fixture: GroupFixture

    init() throws { fixture = try GroupFixture(partitions: 1) }

    /// Names and bytes of all files in the data directory.
    private func content() throws -> [String: [UInt8]] {
        var content: [String: [UInt8]] = [:]
        func visit(_ path: String) throws {
            for name in try Files.list(path) {
                let inner = "\(path)/\(name)"
                if Files.isDirectory(inner) {
                    content[inner] = []
                    try visit(inner)
                } else {
                    content[inner] = try Files.read(inner, maxBytes: 1 << 20)
                }
            }
        }
        try visit(fixture.directory.path)
        return content
    }

    /// Expects an error of one line with these words, and the directory as it was.
    private func refuses(
        _ code: GroupError.Code, _ words: String...,
        sourceLocation: SourceLocation = #_sourceLocation, _ attempt: () throws -> Void
    ) throws {
        let before = try content()
        let error = #expect(
            throws: GroupError.self, sourceLocation: sourceLocation, performing: attempt)
        #expect(error?.code == code, "\(error as Any)", sourceLocation: sourceLocation)
        let text = error?.description ?? ""
        #expect(!text.contains("\n"), sourceLocation: sourceLocation)
        for word in words {
            #expect(text.contains(word), "\(text)", sourceLocation: sourceLocation)
        }
        #expect(try content() == before, sourceLocation: sourceLocation)
    }

    @Test("Names of groups and instances")
    func names() throws {
        try refuses(.invalidName, "group name 'a/b'", "letters") {
            _ = try ConsumerGroup(data: fixture.data, name: "a/b", topics: [fixture.topic])
        }
        for name in ["", "..", "a b", "ü", String(repeating: "i", count: 250)] {
            try refuses(.invalidName, "instance id '\(name.prefix(40))'", "letters") {
                _ = try fixture.group(options: MemberOptions(instance: name))
            }
        }
    }

    @Test("Topics that do not exist")
    func topics() throws {
        let error = #expect(throws: LogError.self) { _ = try fixture.data.topic("absent") }
        #expect(error?.code == .notFound)
        #expect(error?.description.contains("absent") == true)
        try fixture.group().run { _ in }
        try refuses(.noSuchTopic, "'absent'") {
            try fixture.catalog.reset("g", topic: "absent", to: .latest)
        }
        try refuses(.noSuchTopic, "no topic") {
            _ = try ConsumerGroup(data: fixture.data, name: "none", topics: [])
        }
    }

    @Test("Resets and deletions while members live")
    func busyGroups() throws {
        let member = try fixture.group()
        let process = "process \(getpid())"
        try refuses(.inUse, process, "stop it first") {
            try fixture.catalog.reset("g", topic: "rows", to: .earliest)
        }
        try refuses(.inUse, process, "stop it first") { try fixture.catalog.delete("g") }
        _ = member.name
    }

    @Test("Cores that do not exist or are not allowed")
    func cores() throws {
        try refuses(.noSuchCore, "no core 8000", "this machine has") {
            _ = try fixture.group(cores: [CPU.allowed()[0], 8000])
        }
        try refuses(.invalidCoreList, "listed twice") { _ = try fixture.group(cores: [0, 0]) }
        try refuses(.invalidCoreList, "missing") { _ = try fixture.group(cores: []) }
        // A thread that may use one core only may not ask for another.
        let all = CPU.allowed()
        guard all.count > 1 else { return }
        let thread = try PinnedThread(name: "narrow", core: all[0]) {
            do {
                try refuses(.coreNotAllowed, "core \(all[1])", "may use \(all[0])") {
                    _ = try fixture.group(cores: [all[1]])
                }
            } catch { Issue.record(error) }
        }
        thread.join()
    }

    @Test(
        "A file system without locks is named, before anything is made",
        arguments: [ENOLCK, EOPNOTSUPP, ENOSYS, EINVAL])
    func locks(errno: Int32) throws {
        let type = try #require(FileSystemType.name(of: fixture.directory.path))
        let plan = FaultPlan(at: 1, .error(errno), .forever, kinds: [.tryLock, .queryLock])
        try refuses(
            .unsupportedFileSystem, "this file system (\(type)) has no locks of open files",
            "F_OFD_SETLK", "such as ext4"
        ) {
            try plan.run(on: fixture.directory.path) { _ = try fixture.group() }
        }
        #expect(!plan.struck.isEmpty)
    }

    @Test("A file system without shared mappings is named")
    func mappings() throws {
        let plan = FaultPlan(at: 1, .error(ENODEV), .forever, kinds: [.map])
        let error = #expect(throws: GroupError.self) {
            try plan.run(on: fixture.directory.path) { _ = try fixture.group() }
        }
        #expect(error?.code == .unsupportedFileSystem)
        #expect(error?.description.contains("no shared mappings (mmap)") == true)
    }

    @Test("The kinds of file systems are read from the kernel's table")
    func mountTable() {
        let table = """
            22 29 0:21 / /proc rw,relatime - proc proc rw
            36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw
            37 35 0:45 / /data rw shared:9 - nfs4 host:/export rw
            40 35
            """
        #expect(FileSystemType.name(of: "98:0", in: table) == "ext3")
        #expect(FileSystemType.name(of: "0:45", in: table) == "nfs4")
        #expect(FileSystemType.name(of: "1:1", in: table) == nil)
        #expect(FileSystemType.name(of: "/proc/self/nowhere") == "proc")
    }
}
