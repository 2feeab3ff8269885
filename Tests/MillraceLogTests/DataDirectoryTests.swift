import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// What a data directory accepts, refuses and leaves alone.
@Suite struct DataDirectoryTests {
    private let place: TemporaryDirectory
    private var path: String { place.file("data") }

    init() throws { place = try TemporaryDirectory("millrace-data") }

    /// Every file below `path` with its content.
    private func snapshot(_ path: String) throws -> [String: [UInt8]] {
        guard Files.exists(path) else { return [:] }
        guard Files.isDirectory(path) else { return [path: try Damage.content(path)] }
        var all: [String: [UInt8]] = [path: []]
        for name in try Files.list(path) {
            all.merge(try snapshot(path + "/" + name)) { first, _ in first }
        }
        return all
    }

    private func code(create: Bool) -> LogError.Code? {
        logErrorCode { () throws(LogError) in _ = try DataDirectory(path, create: create) }
    }

    @Test func createsOnlyWhenAsked() throws {
        #expect(code(create: false) == .notFound)
        #expect(!Files.exists(path))
        let data = try DataDirectory(path + "/", create: true)
        #expect(data.path == path)
        #expect(try data.topicNames() == [])
        #expect(code(create: false) == nil)
        #expect(try Damage.content(path + "/format") == Array("millrace data, format 3\n".utf8))
    }

    @Test(arguments: ["", "millrace data, format 2\n", "millrace data, format 3", "\u{FF}x\0"])
    func anotherFormatIsRefused(_ marker: String) throws {
        try Files.createDirectory(path)
        try Files.writeDurably(path + "/format", Array(marker.utf8))
        let before = try snapshot(path)
        #expect(code(create: true) == .unsupportedFormat)
        #expect(code(create: false) == .unsupportedFormat)
        #expect(try snapshot(path) == before)
    }

    @Test func topicsWithoutAMarkerAreRefused() throws {
        try Files.createDirectory(path + "/topics/rows")
        #expect(code(create: true) == .unsupportedFormat)
        #expect(!Files.exists(path + "/format"))
    }

    @Test func aTopicIsWhatItWasCreatedAs() throws {
        let data = try DataDirectory(path, create: true)
        let wanted = TopicConfiguration(partitions: 2, kind: .features, features: 3, label: true)
        let made = try data.topic("rows", creating: wanted)
        let again = try data.topic("rows", creating: wanted)
        let opened = try data.topic("rows")
        #expect(made.id == again.id && made.id == opened.id)
        #expect(opened.configuration == wanted)
        #expect(opened.partitions == 2)
        #expect(try data.topicNames() == ["rows"])

        let before = try snapshot(path)
        let others = [
            TopicConfiguration(partitions: 3, kind: .features, features: 3, label: true),
            TopicConfiguration(partitions: 2, kind: .features, features: 4, label: true),
            TopicConfiguration(partitions: 2, kind: .features, features: 3, label: false),
            TopicConfiguration(partitions: 2, kind: .bytes),
        ]
        for other in others {
            let error = #expect(throws: LogError.self) { try data.topic("rows", creating: other) }
            #expect(error?.code == .alreadyExists)
            #expect(error?.description.contains("wanted") == true)
        }
        #expect(try snapshot(path) == before)
    }

    @Test func senselessConfigurationsAreRefused() throws {
        let data = try DataDirectory(path, create: true)
        let all = [
            TopicConfiguration(partitions: 0, kind: .bytes),
            TopicConfiguration(partitions: 1_025, kind: .bytes),
            TopicConfiguration(kind: .features, features: 0),
            TopicConfiguration(kind: .features, features: 65_537),
            TopicConfiguration(kind: .bytes, features: 1),
            TopicConfiguration(kind: .bytes, level: 13),
            TopicConfiguration(kind: .bytes, segmentBytes: 65_535),
            TopicConfiguration(kind: .bytes, segmentMilliseconds: 0),
            TopicConfiguration(kind: .bytes, flush: .interval(milliseconds: 0)),
            TopicConfiguration(kind: .bytes, retention: RetentionPolicy(bytes: 0)),
            TopicConfiguration(kind: .bytes, segmentMilliseconds: 1 << 43),
            TopicConfiguration(kind: .bytes, retention: RetentionPolicy(milliseconds: -1)),
            TopicConfiguration(kind: .bytes, retention: RetentionPolicy(milliseconds: 1 << 43)),
            TopicConfiguration(kind: .bytes, retention: RetentionPolicy(heldBytes: 0)),
        ]
        for one in all {
            #expect(
                logErrorCode { () throws(LogError) in _ = try data.topic("t", creating: one) }
                    == .invalidArgument)
        }
        #expect(try data.topicNames() == [])
    }

    @Test(arguments: ["", ".", "..", "a/b", "a b", "ä", "a\0", "../x"])
    func badNames(_ name: String) throws {
        let data = try DataDirectory(path, create: true)
        let bytes = TopicConfiguration(kind: .bytes)
        #expect(
            logErrorCode { () throws(LogError) in _ = try data.topic(name, creating: bytes) }
                == .invalidArgument)
        #expect(
            logErrorCode { () throws(LogError) in _ = try data.topic(name) } == .invalidArgument)
        #expect(
            logErrorCode { () throws(LogError) in try data.deleteTopic(name) } == .invalidArgument)
    }

    @Test func goodNames() throws {
        let data = try DataDirectory(path, create: true)
        let longest = String(repeating: "n", count: 249)
        for name in ["a", "A-1_b.c", "...", longest] {
            #expect(try data.topic(name, creating: .init(kind: .bytes)).name == name)
        }
        #expect(!Names.isValid(longest + "n"))
        #expect(logErrorCode { () throws(LogError) in _ = try data.topic("b") } == .notFound)
    }

    @Test func deletedTopicsComeBackEmpty() throws {
        let data = try DataDirectory(path, create: true)
        let bytes = TopicConfiguration(kind: .bytes)
        let old = try data.topic("rows", creating: bytes)
        do {
            var writer = try old.writer(partition: 0)
            try Rows.append(3, to: &writer)
        }
        try data.deleteTopic("rows")
        #expect(try data.topicNames() == [])
        #expect(logErrorCode { () throws(LogError) in try data.deleteTopic("rows") } == .notFound)
        let new = try data.topic("rows", creating: bytes)
        #expect(new.id != old.id)
        #expect(try new.endOffset(partition: 0) == 0)
    }

    /// What a deletion and a creation that were killed half-way left goes with the next creation.
    @Test func whatTheDeadLeftIsRemoved() throws {
        let data = try DataDirectory(path, create: true)
        let bytes = TopicConfiguration(kind: .bytes)
        do {
            var writer = try data.topic("rows", creating: bytes).writer(partition: 0)
            try Rows.append(3, to: &writer)
        }
        let topics = path + "/topics"
        try Files.renameDurably(topics + "/rows", topics + "/~deleted-0000000000000001")
        try Files.createDirectory(topics + "/~new-0000000000000002/0000000000000002/0")
        try Files.writeDurably(topics + "/~owner-0000000000000002", [])
        #expect(try data.topicNames() == [])
        let new = try data.topic("rows", creating: bytes)
        var writer = try new.writer(partition: 0)
        #expect(writer.nextOffset == 0)
        try Rows.append(2, to: &writer)
        var reader = try new.reader(partition: 0)
        #expect(try Rows.offsets(&reader) == [0, 1])
        #expect(try Files.list(topics) == ["rows"])
    }

    /// A directory whose description is lost may hold rows: no topic is made over it.
    @Test func aLostDescriptionIsNoFreeName() throws {
        let data = try DataDirectory(path, create: true)
        let bytes = TopicConfiguration(partitions: 2, kind: .bytes)
        _ = try data.topic("rows", creating: bytes)
        try Files.remove(path + "/topics/rows/topic.json")
        let before = try snapshot(path + "/topics/rows")
        #expect(logErrorCode { () throws(LogError) in _ = try data.topic("rows") } == .notFound)
        for body in [data.topic(_:creating:), data.createTopic(_:_:)] {
            let code = logErrorCode { () throws(LogError) in _ = try body("rows", bytes) }
            #expect(code == .corrupt)
        }
        #expect(try snapshot(path + "/topics/rows") == before)
        #expect(try Files.list(path + "/topics") == ["rows"])
    }

    @Test(arguments: ["", "{}", "[1]", "{\"format\":1,\"id\":7}", "\u{0}"])
    func brokenDescriptionsAreRefused(_ text: String) throws {
        let data = try DataDirectory(path, create: true)
        _ = try data.topic("rows", creating: .init(kind: .bytes))
        let file = path + "/topics/rows/topic.json"
        try Damage.overwrite(file, with: Array(text.utf8))
        let error = #expect(throws: LogError.self) { try data.topic("rows") }
        #expect(error?.code == .corrupt)
        #expect(error?.path == file)
    }
}
