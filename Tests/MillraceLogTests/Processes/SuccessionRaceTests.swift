import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// A writer that is stopped between taking the append lock and looking at what is published.
@Suite struct SuccessionRaceTests {
    /// Stops the first thread that has taken the append lock.
    private final class AfterTaking: DiskObserver {
        private let gate: StopPoint

        init() { gate = StopPoint.atStore { _, _ in true } }

        var isReached: Bool { gate.isReached }
        func release() { gate.release() }

        // The path is blocked meanwhile: whoever is to go on spells it another way.
        func didStore(_ file: DiskCall.File, offset: Int, bytes: [UInt8]) {
            guard file.path.hasSuffix("/control"), offset == 576 else { return }
            gate.willStore(path: file.path, offset: offset, count: bytes.count)
        }
    }

    @Test func itDoesNotTakeTheSuccessorsEpochForItsOwn() throws {
        let fixture = try TopicFixture()
        let path = fixture.directory.path
        let other = "/tmp/." + path.dropFirst("/tmp".count)
        let late = AfterTaking()
        DiskObservation.install(late, on: path)
        defer { DiskObservation.remove(late) }
        let writing = StopPoint.atCall {
            // Of a batch behind the segment's first.
            guard case .write(let file, let offset, _) = $0 else { return false }
            return file.path.hasSuffix(".log") && offset > SegmentHeader.byteCount
        }
        DiskObservation.install(writing, on: other)
        defer { DiskObservation.remove(writing) }

        let first = try Self.appending("first", to: path)
        while !late.isReached { PinnedThread.sleep(nanoseconds: 100_000) }
        // Succeeds the first one, appends, and is stopped in its next append.
        let second = try Self.appending("second", "third", to: other)
        writing.waitUntilReached()
        late.release()
        first.join()
        writing.release()
        second.join()

        var reader = try fixture.topic.reader(partition: 0)
        var found: [String] = []
        while let batch = try reader.next() {
            for index in 0..<batch.rows {
                let value = batch.value(index)
                found.append(String(decoding: value.indices.map { value[$0] }, as: UTF8.self))
            }
        }
        #expect(found == ["second", "first", "third"])
    }

    private static func appending(_ values: String..., to path: String) throws -> PinnedThread {
        try PinnedThread(name: "appending", core: nil) {
            #expect(throws: Never.self) {
                var writer = try DataDirectory(path, create: false).topic("rows")
                    .writer(partition: 0)
                var builder = BatchBuilder()
                for value in values {
                    builder.append(value: value.utf8)
                    try writer.append(&builder)
                }
            }
        }
    }
}
