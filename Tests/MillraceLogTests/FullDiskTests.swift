import Glibc
import MillraceSystem
import Testing

@testable import MillraceLog

/// A disk that refuses: the append fails, nothing of it is seen, and the next one can succeed.
@Suite struct FullDiskTests {
    @Test(arguments: [Codec.none, .lz4])
    func aRefusedAppendLeavesNoTrace(_ codec: Codec) async throws {
        let name = codec.rawValue
        await #expect(processExitsWith: .success) { [name = name as String] in
            let fixture = try TopicFixture(codec: try #require(Codec(rawValue: name)))
            signal(SIGXFSZ, SIG_IGN)
            var writer = try fixture.topic.writer(partition: 0)
            var failures = 0
            var end: UInt64 = 0
            for limit in [3_000, 3_001, 9_999, 20_000] as [rlim_t] {
                // The kernel writes a part of a batch up to the limit, and then nothing.
                var bound = rlimit(rlim_cur: limit, rlim_max: .max)
                #expect(unsafe setrlimit(__rlimit_resource_t(1), &bound) == 0)
                var builder = BatchBuilder()
                while true {
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
                #expect(try writer.append(&builder).baseOffset == end)
                end += 10
                try reader.seek(to: 0)
                #expect(try Rows.offsets(&reader) == Array(0..<end))
            }
            #expect(failures == 4)
            try writer.close()
            #expect(try fixture.topic.writer(partition: 0).nextOffset == end)
        }
    }
}
