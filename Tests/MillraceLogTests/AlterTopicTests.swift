import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// Changing what of a topic can be changed.
@Suite struct AlterTopicTests {
    private let directory: TemporaryDirectory
    private let data: DataDirectory

    init() throws {
        directory = try TemporaryDirectory("millrace-alter")
        data = try DataDirectory(directory.path, create: true)
        _ = try data.topic("rows", creating: TopicConfiguration(partitions: 2, kind: .bytes))
    }

    private func code(_ change: TopicAlteration) -> LogError.Code? {
        logErrorCode { () throws(LogError) in _ = try data.alterTopic("rows", change) }
    }

    @Test func partitionsAreAdded() throws {
        let old = try data.topic("rows")
        var writer = try old.writer(partition: 1)
        try Rows.append(5, to: &writer)
        let new = try data.alterTopic("rows", TopicAlteration(partitions: 4))
        #expect(new.partitions == 4)
        #expect(new.id == old.id)
        #expect(try data.topic("rows").partitions == 4)
        // Who had it open goes on.
        try Rows.append(5, to: &writer)
        #expect(try new.endOffset(partition: 1) == 10)
        var third = try new.writer(partition: 3)
        try Rows.append(7, to: &third)
        #expect(try data.verifyTopic("rows").faults == [])
        #expect(try data.verifyTopic("rows").counts.rows == 17)
        #expect(code(TopicAlteration(partitions: 3)) == .invalidArgument)
        #expect(code(TopicAlteration(partitions: 1_025)) == .invalidArgument)
    }

    @Test func policiesChangeAndTheRestStays() throws {
        let before = try data.topic("rows").configuration
        let retention = RetentionPolicy(bytes: 1 << 20, milliseconds: 5_000)
        let change = TopicAlteration(flush: .interval(milliseconds: 20), retention: retention)
        var expected = before
        expected.flush = .interval(milliseconds: 20)
        expected.retention = retention
        #expect(try data.alterTopic("rows", change).configuration == expected)
        #expect(try data.topic("rows").configuration == expected)
        #expect(try data.alterTopic("rows", TopicAlteration()).configuration == expected)
        #expect(code(TopicAlteration(flush: .interval(milliseconds: 0))) == .invalidArgument)
        #expect(code(TopicAlteration(retention: RetentionPolicy(bytes: 0))) == .invalidArgument)
        #expect(try data.topic("rows").configuration == expected)
    }

    @Test func topicsThatAreNotThere() {
        for (name, expected) in [("none", LogError.Code.notFound), ("../rows", .invalidArgument)] {
            let code = logErrorCode { () throws(LogError) in
                _ = try data.alterTopic(name, TopicAlteration())
            }
            #expect(code == expected)
        }
    }

    /// A change that was killed half-way has changed nothing, and can be made again.
    @Test func anInterruptedChangeIsRepeated() throws {
        let place = directory.path + "/topics/rows"
        let partitions = try data.topic("rows").directory
        let description = try Damage.content(place + "/topic.json")
        _ = try data.alterTopic("rows", TopicAlteration(partitions: 3))
        try Damage.overwrite(place + "/topic.json", with: description)
        let found = try data.verifyTopic("rows")
        #expect(found.faults == [])
        #expect(found.notes.map(\.path) == [partitions + "/2"])
        let topic = try data.alterTopic("rows", TopicAlteration(partitions: 3))
        var writer = try topic.writer(partition: 2)
        try Rows.append(2, to: &writer)
        #expect(try data.verifyTopic("rows").notes == [])
        // Rows of a partition that the description does not know are neither hidden nor removed.
        try Damage.overwrite(place + "/topic.json", with: description)
        #expect(try data.verifyTopic("rows").faults.isEmpty == false)
        #expect(code(TopicAlteration(partitions: 3)) == .alreadyExists)
    }
}
