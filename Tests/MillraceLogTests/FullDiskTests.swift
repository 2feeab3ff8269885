import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// A disk that is full: the append fails, nothing of it is seen, nothing acknowledged is lost, the
/// process lives, and the next append succeeds once there is space.
@Suite struct FullDiskTests {
    /// A small file system of its own, where the user may mount one; unmounted at the end.
    private final class SmallDisk {
        let directory: TemporaryDirectory
        var path: String { directory.path }

        /// Nil where the user may not mount.
        init?(bytes: Int) throws {
            directory = try TemporaryDirectory("millrace-disk")
            let mount = try ChildProcess(
                "/bin/mount", ["-t", "tmpfs", "-o", "size=\(bytes)", "none", directory.path])
            guard mount.wait() == .code(0) else { return nil }
        }

        deinit {
            _ = try? ChildProcess("/bin/umount", ["-l", path]).wait()
        }

        /// Takes all the space there is, in steps of 4 KiB.
        func fill() throws {
            let file = try FileHandle(path + "/filler", .openOrCreate)
            let page = [UInt8](repeating: 1, count: 4096)
            var at = 0
            do throws(SystemError) {
                while true {
                    try file.write(page, at: at)
                    at += page.count
                }
            } catch {
                #expect(error.isOutOfSpace)
            }
        }

        /// Gives it back at once: a file that is only removed lives on while a child that was just
        /// forked still has it.
        func free() throws { try FileHandle(path + "/filler", .readWrite).truncate(to: 0) }
    }

    private static let isRoot = geteuid() == 0

    /// Deleting a topic makes room, so it must not need any.
    @Test(.enabled(if: isRoot)) func topicsAreDeletedOnAFullDisk() throws {
        guard let disk = try SmallDisk(bytes: 4 << 20) else { return }
        let data = try DataDirectory(disk.path + "/data", create: true)
        for name in ["a", "b"] {
            _ = try data.createTopic(name, TopicConfiguration(kind: .bytes))
        }
        try disk.fill()
        #expect(throws: LogError.self) {
            _ = try data.createTopic("c", TopicConfiguration(kind: .bytes))
        }
        try data.deleteTopic("a")
        #expect(try data.topicNames() == ["b"])
    }

    @Test(.enabled(if: isRoot), arguments: Codec.allCases, [AppendMode.write, .mapped])
    func aFullFileSystem(_ codec: Codec, _ mode: AppendMode) throws {
        // In a container even root may not mount: the limit on file sizes is tested all the same.
        guard let disk = try SmallDisk(bytes: 4 << 20) else { return }
        let topic = try DataDirectory(disk.path + "/data", create: true).topic(
            "rows",
            creating: TopicConfiguration(kind: .bytes, codec: codec, segmentBytes: 1 << 16))
        var writer = try topic.writer(partition: 0, mode: mode)
        var end: UInt64 = 0
        var failures = 0
        for round in 0..<4 {
            // Full at once, or after some more segments.
            if round % 2 == 0 { try disk.fill() }
            var builder = BatchBuilder()
            for _ in 0..<20_000 {
                if builder.rows == 0 {
                    for offset in end..<end + 10 { builder.append(value: Rows.value(offset)) }
                }
                do throws(LogError) {
                    let receipt = try writer.append(&builder)
                    #expect(receipt.baseOffset == end)
                    end += 10
                } catch {
                    #expect(error.code == .system)
                    #expect(error.cause?.isOutOfSpace == true)
                    failures += 1
                    break
                }
                if round % 2 == 1, end % 2_000 == 0 { try disk.fill() }
            }
            #expect(failures == round + 1)
            #expect(writer.nextOffset == end)
            // It stays full: nothing changes, for this writer or another.
            #expect(logErrorCode { () throws(LogError) in try writer.append(&builder) } == .system)
            #expect(builder.rows == 10)
            try writer.flush()
            var reader = try topic.reader(partition: 0)
            #expect(try Rows.offsets(&reader) == Array(0..<end))
            // Space again: the same builder's rows go in, once.
            try disk.free()
            #expect(try writer.append(&builder).baseOffset == end)
            end += 10
            try reader.seek(to: 0)
            #expect(try Rows.offsets(&reader) == Array(0..<end))
        }
        try writer.close()
        #expect(try topic.writer(partition: 0).nextOffset == end)
    }

    /// A limit on the size of files, which every user can set: the kernel writes a part of a batch
    /// up to the limit, and then nothing.
    @Test(arguments: Codec.allCases, [AppendMode.write, .mapped])
    func aRefusedAppendLeavesNoTrace(_ codec: Codec, _ mode: AppendMode) async throws {
        let name = codec.rawValue
        let mapping = mode.rawValue
        await #expect(processExitsWith: .success) {
            [name = name as String, mapping = mapping as String] in
            let fixture = try TopicFixture(codec: try #require(Codec(rawValue: name)))
            let mode = try #require(AppendMode(rawValue: mapping))
            signal(SIGXFSZ, SIG_IGN)
            var writer = try fixture.topic.writer(partition: 0, mode: mode)
            var failures = 0
            var end: UInt64 = 0
            for limit in [3_000, 3_001, 9_999, 65_600, 70_000] as [rlim_t] {
                var bound = rlimit(rlim_cur: limit, rlim_max: .max)
                #expect(unsafe setrlimit(__rlimit_resource_t(1), &bound) == 0)
                var builder = BatchBuilder()
                // The last limit is above the size of a segment: there is nothing to refuse.
                for _ in 0..<200 {
                    let rows = (end..<end + 10).map { Rows.value($0) }
                    if builder.rows == 0 { for row in rows { builder.append(value: row) } }
                    do throws(LogError) {
                        try writer.append(&builder)
                        end += 10
                    } catch {
                        #expect(error.code == .system)
                        #expect(error.cause?.errno == EFBIG)
                        #expect(builder.rows == 10)
                        failures += 1
                        break
                    }
                }
                #expect(writer.nextOffset == end)
                var reader = try fixture.topic.reader(partition: 0)
                #expect(try Rows.offsets(&reader) == Array(0..<end))
                // Space again: the same builder's rows go in, once.
                bound.rlim_cur = .max
                #expect(unsafe setrlimit(__rlimit_resource_t(1), &bound) == 0)
                if builder.rows > 0 {
                    #expect(try writer.append(&builder).baseOffset == end)
                    end += 10
                }
                try writer.closeSegment()
                try reader.seek(to: 0)
                #expect(try Rows.offsets(&reader) == Array(0..<end))
            }
            #expect(failures == 4)
            try writer.close()
            #expect(try fixture.topic.writer(partition: 0).nextOffset == end)
        }
    }
}
