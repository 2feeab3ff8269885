import MillraceSystem
import Testing

@testable import MillraceLog

/// Every limit: what lies on it is taken, what is beyond it is refused by name.
@Suite(.serialized) struct LimitTests {
    /// The message of the error that preparing a batch throws; nil when it is taken.
    private static func refusal(
        _ topic: TopicConfiguration = TopicConfiguration(kind: .bytes, codec: .none),
        _ fill: (inout BatchBuilder) -> Void
    ) -> String? {
        var encoder = BatchEncoder(configuration: topic)
        var builder = BatchBuilder()
        fill(&builder)
        do throws(LogError) {
            try encoder.prepare(&builder)
            return nil
        } catch {
            if error.code != .tooLarge { Issue.record("code \(error.code)") }
            return error.message
        }
    }

    private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    @Test func keys() {
        func add(_ count: Int) -> String? {
            let key = Self.zeros(count)
            return Self.refusal {
                $0.append(value: key.prefix(3))
                $0.append(value: key.span, key: key.span)
            }
        }
        #expect(add(LogLimits.maxKeyBytes) == nil)
        #expect(
            add(LogLimits.maxKeyBytes + 1) == "a key in bytes is at most 65536, not 65537; row 1")
    }

    @Test func values() {
        let value = Self.zeros(LogLimits.maxValueBytes + 1)
        let message = Self.refusal { $0.append(value: value.span) }
        #expect(message == "a value in bytes is at most 536870912, not 536870913; row 0")
    }

    @Test func headers() {
        func add(_ headers: [RowHeader]) -> String? {
            Self.refusal { $0.append(value: Self.zeros(1).span, headers: headers) }
        }
        let one = RowHeader("a", [])
        #expect(add(Array(repeating: one, count: LogLimits.maxHeaders)) == nil)
        #expect(
            add(Array(repeating: one, count: LogLimits.maxHeaders + 1))
                == "the number of a row's headers is at most 1024, not 1025; row 0")
        let name = String(repeating: "n", count: LogLimits.maxHeaderNameBytes)
        #expect(add([RowHeader(name, [])]) == nil)
        #expect(
            add([RowHeader(name + "n", [])])
                == "a header's name in bytes is at most 1024, not 1025; row 0")
        let room = LogLimits.maxHeaderBytes - 7
        #expect(add([RowHeader("a", Self.zeros(room))]) == nil)
        #expect(
            add([RowHeader("a", Self.zeros(room - 7)), one, one])
                == "the size of a row's headers in bytes is at most 1048576, not 1048583; row 0")
    }

    @Test func headersHaveNames() throws {
        var builder = BatchBuilder()
        builder.append(value: Self.zeros(1).span, headers: [RowHeader("", [1])])
        var encoder = BatchEncoder(configuration: TopicConfiguration(kind: .bytes))
        do throws(LogError) {
            try encoder.prepare(&builder)
            Issue.record("a header without a name was taken")
        } catch {
            #expect(error.code == .invalidArgument)
        }
        // The builder is good again for the next batch.
        builder.reset()
        builder.append(value: [1])
        try encoder.prepare(&builder)
    }

    @Test func batches() {
        let topic = TopicConfiguration(
            kind: .features, features: LogLimits.maxFeatures, codec: .none)
        let message = Self.refusal(topic) {
            $0.columns = LogLimits.maxFeatures
            for _ in 0..<4_097 { $0.commitRow() }
        }
        #expect(
            message == "a batch has at most 1073741824 bytes, all sections together, "
                + "not 1074003968; append fewer rows at a time")
    }

    @Test func rows() {
        let topic = TopicConfiguration(
            kind: .features, features: 1, codec: .none, elementType: .uint8)
        var encoder = BatchEncoder(configuration: topic)
        var builder = BatchBuilder(columns: 1, elementType: .uint8)
        let rows = Self.zeros(LogLimits.maxRows)
        unsafe builder.append(rawRows: rows.span.bytes, count: rows.count)
        builder.commitRow()
        do throws(LogError) {
            try encoder.prepare(&builder)
            Issue.record("2^28 + 1 rows were taken")
        } catch {
            #expect(error.message == "a batch has at most 268435456 rows, not 268435457")
        }
    }

    @Test func partitionsFeaturesAndNames() throws {
        func refuses(_ topic: TopicConfiguration) -> Bool {
            logErrorCode { () throws(LogError) in try topic.validate() } == .invalidArgument
        }
        #expect(!refuses(.init(partitions: LogLimits.maxPartitions, kind: .bytes)))
        #expect(refuses(.init(partitions: LogLimits.maxPartitions + 1, kind: .bytes)))
        #expect(!refuses(.init(kind: .features, features: LogLimits.maxFeatures)))
        #expect(refuses(.init(kind: .features, features: LogLimits.maxFeatures + 1)))
        let name = String(repeating: "n", count: LogLimits.maxNameBytes)
        #expect(Names.isValid(name))
        #expect(!Names.isValid(name + "n"))
    }
}
