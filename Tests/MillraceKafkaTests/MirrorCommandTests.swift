import MillraceLog
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceKafka

/// `millrace mirror` as users and scripts meet it.
@Suite struct KafkaMirrorCommandTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    /// Runs the tool; its standard error comes with its output.
    private func run(
        _ arguments: String..., environment: [String] = []
    ) throws -> (code: ChildProcess.Ending, lines: [String]) {
        let command = ["-c", "exec \"$0\" mirror \"$@\" 2>&1", ChildProcess.besideUs("millrace")]
        let child = try ChildProcess(
            "/bin/sh", command + arguments,
            environment: ["MILLRACE_DATA=\(log.data.path)"] + environment)
        let lines = child.readToEnd()
        return (child.wait(), lines)
    }

    private func refuse(
        _ code: Int32, _ part: String, _ outcome: (code: ChildProcess.Ending, lines: [String]),
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(outcome.code == .code(code), "\(outcome)", sourceLocation: sourceLocation)
        #expect((1...2).contains(outcome.lines.count), "\(outcome)", sourceLocation: sourceLocation)
        #expect(
            outcome.lines.joined().contains(part), "\(outcome)", sourceLocation: sourceLocation)
    }

    @Test func commandsThatMakeNoSense() throws {
        refuse(64, "neither 'a' nor 'b'", try run("a", "b"))
        refuse(64, "both topics", try run("kafka://h/a", "kafka://h/b"))
        refuse(64, "not a port", try run("kafka://h:x/a", "b"))
        refuse(64, "cannot be a topic's name", try run("kafka://h/a", "b/c"))
        refuse(64, "for writing to Kafka", try run("kafka://h/a", "b", "--transactional-id", "x"))
        refuse(64, "NAME=VALUE", try run("kafka://h/a", "b", "--kafka-property", "hunter2"))
        refuse(
            64, "has no variable 'NO_SUCH'",
            try run("kafka://h/a", "b", "--kafka-property", "sasl.password=env:NO_SUCH"))
        refuse(
            64, "set by Millrace itself",
            try run("kafka://h/a", "b", "--kafka-property", "group.id=x"))
        let secret = try run("kafka://joe:hunter2@h/a", "b")
        refuse(64, "no user and no password", secret)
        #expect(!secret.lines.joined().contains("hunter2"))
        #expect(try run("kafka://h/a", "b", "--follow", "--until-end").code == .code(64))
        #expect(try run("kafka://h/a", "b", "--format", "xml").code == .code(64))
        #expect(try run("kafka://h/a", "b", "--patience", "0").code == .code(64))
        #expect(try log.data.topicNames().isEmpty)
    }

    #if Kafka
        @Test func noBroker() throws {
            refuse(75, "127.0.0.1:1", try run("kafka://127.0.0.1:1/t", "b", "--patience", "1"))
        }

        @Test func thereAndBack() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let topic = try log.create("a", TopicConfiguration(kind: .bytes))
            try log.append(
                [TestRow(value: [65], milliseconds: 1)], to: topic, partition: 0, batch: 1)
            let address = try cluster.address("k").description
            let out = try run("a", address)
            #expect(out.code == .code(0), "\(out)")
            #expect(out.lines[0].hasPrefix("Copied 1 rows, 1 B, from a to \(address) in "))
            #expect(out.lines[1] == "  partition 0: 1 rows, to offset 1")
            let back = try run(address, "b", "--json", "--kafka-property", "fetch.min.bytes=1")
            #expect(back.code == .code(0) && back.lines.joined().contains("\"rows\" : 1"))
            #expect(try log.rows("b", partition: 0).map(\.value) == [[65]])
            refuse(66, "there is no topic 'none'", try run("none", address))
            refuse(66, "no such topic", try run(address + "x", "c"))
        }

        /// A secret is not said, neither by us nor by librdkafka, even where it is wrong.
        @Test func secretsAreNotEchoed() throws {
            let cluster = try MockCluster(brokers: 1)
            try cluster.create("k", partitions: 1)
            let address = try cluster.address("k").description
            for property in [
                "sasl.password=env:SECRET", "ssl.key.pem=env:SECRET", "fetch.min.bytes=env:SECRET",
                "ssl.ca.location=env:SECRET", "sasl.mechanism=env:SECRET", "debug=env:SECRET",
                "SECRET.hunter2=env:SECRET",
            ] {
                let outcome = try run(
                    address, "b", "--patience", "1", "--kafka-property",
                    "security.protocol=SASL_SSL",
                    "--kafka-property", property, environment: ["SECRET=hunter3"])
                #expect(outcome.code != .code(0), "\(property)")
                #expect(!outcome.lines.joined().contains("hunter3"), "\(outcome)")
                #expect((1...2).contains(outcome.lines.count), "\(outcome)")
            }
        }
    #else
        @Test func saysHowToBuildIt() throws {
            let outcome = try run("kafka://h/a", "b")
            refuse(64, "swift build -c release --traits Kafka", outcome)
            #expect(outcome.lines.count == 1)
            refuse(64, "swift build -c release --traits Kafka", try run("b", "kafka://h/a"))
            #expect(!KafkaMirror.isBuilt)
        }
    #endif
}
