import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// What a failed sync makes of a partition, by what was to be synced.
@Suite struct FailedSyncTests {
    private static func isControl(_ call: DiskCall) -> Bool { call.path.hasSuffix("/control") }
    private static func isSegment(_ call: DiskCall) -> Bool { call.path.hasSuffix(".log") }

    /// A page that the kernel could not write is taken for written afterwards: a second sync would
    /// promise an epoch or a ceiling that is not on the disk.
    @Test(arguments: 1...2)
    func theControlPage(number: Int) throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        // The first append says that the partition is written, and reserves offsets.
        let plan = FaultPlan(at: number, .error(EIO), kinds: [.syncMap], where: Self.isControl)
        plan.run(on: fixture.directory.path) {
            #expect(
                logErrorCode { () throws(LogError) in try writer.append(text: "v") } == .poisoned)
        }
        #expect(plan.struck.count == 1)
        #expect(logErrorCode { () throws(LogError) in try writer.append(text: "v") } == .poisoned)
        try expectRecovery(fixture, rows: 0)
    }

    @Test func theEpochOfASuccessor() throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        try writer.append(text: "v")
        try fixture.killOwner()
        let plan = FaultPlan(at: 1, .error(EIO), kinds: [.syncMap], where: Self.isControl)
        plan.run(on: fixture.directory.path) {
            #expect(
                logErrorCode { () throws(LogError) in try writer.append(text: "v") } == .poisoned)
        }
        #expect(logErrorCode { () throws(LogError) in try writer.append(text: "v") } == .poisoned)
        try expectRecovery(fixture, rows: 1)
    }

    /// The segment of a new epoch keeps what was superseded from coming back.
    @Test(arguments: [false, true])
    func theSegmentOfASuccessor(itsName: Bool) throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        try writer.append(text: "v")
        try fixture.killOwner()
        let plan = FaultPlan(at: 1, .error(EIO), kinds: [.sync]) { call in
            itsName ? call.path == fixture.partitionPath : Self.isSegment(call)
        }
        plan.run(on: fixture.directory.path) {
            #expect(
                logErrorCode { () throws(LogError) in try writer.append(text: "v") } == .poisoned)
        }
        #expect(logErrorCode { () throws(LogError) in try writer.append(text: "v") } == .poisoned)
        try expectRecovery(fixture, rows: 1)
    }

    /// The kernel was not asked to sync what could not be opened: it has forgotten nothing.
    @Test(arguments: [EIO, EMFILE])
    func aSegmentThatCannotBeOpened(errno: Int32) throws {
        let fixture = try TopicFixture()
        var writer = try fixture.topic.writer(partition: 0)
        try writer.append(text: "v")
        let plan = FaultPlan(at: 1, .error(errno), kinds: [.open], where: Self.isSegment)
        plan.run(on: fixture.directory.path) {
            #expect(logErrorCode { () throws(LogError) in try writer.flush() } == .system)
            #expect(logErrorCode { () throws(LogError) in try writer.flush() } == nil)
        }
        #expect(plan.struck.count == 1)
        let control = try fixture.control()
        #expect(try control.durablePosition() == control.publishedValue().position)
    }

    /// At a clean stop: whatever the disk holds, the next boot looks for itself.
    @Test(arguments: 1...2)
    func aCleanStop(number: Int) throws {
        let fixture = try TopicFixture()
        var writer: PartitionWriter? = try fixture.topic.writer(partition: 0)
        try writer?.append(text: "v")
        try writer?.flush()
        let plan = FaultPlan(at: number, .error(EIO), kinds: [.syncMap], where: Self.isControl)
        plan.run(on: fixture.directory.path) {
            let code = logErrorCode { () throws(LogError) in try writer.take()?.close() }
            #expect(code == .poisoned)
        }
        try expectRecovery(fixture, rows: 1)
    }

    /// A restart of the machine ends the poison: what the disk holds counts.
    private func expectRecovery(_ fixture: TopicFixture, rows: UInt64) throws {
        #expect(try fixture.control().stateValue() == .poisoned)
        try fixture.pretendMachineRestarted()
        var writer = try fixture.topic.writer(partition: 0)
        #expect(try fixture.control().stateValue() == .open)
        try writer.append(text: "w")
        var reader = try fixture.topic.reader(partition: 0)
        var found = 0
        while let batch = try reader.next() { found += batch.rows }
        #expect(found == Int(rows) + 1)
    }
}
