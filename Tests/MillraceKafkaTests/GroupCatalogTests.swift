import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceKafka

/// Groups of a cluster, looked at from outside.
///
/// The mock answers none of these questions; what they find is judged by the walk-through, against
/// a broker that does.
@Suite struct KafkaGroupCatalogTests {
    @Test(arguments: ["", "a:b", "a,,b", "a:70000", "me@a", "a/t"])
    func brokersThatAreNone(_ brokers: String) {
        let error = #expect(throws: KafkaError.self) { try KafkaGroupCatalog(brokers: brokers) }
        #expect(
            error?.code == (KafkaMirror.isBuilt ? .invalidArgument : .notBuilt), "\(brokers)")
    }

    @Test func brokersThatAreSome() throws {
        for text in ["a", "a:1,b.c:65535", "[::1]:9092"] {
            let address = try KafkaAddress(brokers: text)
            #expect(address.topic.isEmpty)
            #expect(try KafkaAddress(brokers: address.bootstrap) == address)
            #expect(address.description == "kafka://" + address.bootstrap)
        }
    }

    /// Version 0, two topics with partitions 0 and 2, and 7; then what is the assignor's own.
    private static let assignment: [UInt8] =
        [0, 0, 0, 0, 0, 2, 0, 1, 97, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2]
        + [0, 2, 98, 99, 0, 0, 0, 1, 0, 0, 0, 7, 255, 255, 255, 255]

    @Test func assignments() {
        typealias Place = MemberAssignment.Place
        let places = [
            Place(topic: "a", partition: 0), Place(topic: "a", partition: 2),
            Place(topic: "bc", partition: 7),
        ]
        #expect(MemberAssignment(Self.assignment).places == places)
        for count in 0..<Self.assignment.count {
            let found = MemberAssignment(Array(Self.assignment.prefix(count))).places
            #expect(found == Array(places.prefix(found.count)))
        }
        // Counts and lengths that are larger than what there is, or below zero.
        for position in Self.assignment.indices {
            for value in [0x7F, 0x80, 0xFF] as [UInt8] {
                var bytes = Self.assignment
                bytes[position] = value
                #expect(MemberAssignment(bytes).places.count <= 9)
            }
        }
    }

    #if Kafka
        @Test func nobodyIsThere() throws {
            let catalog = try KafkaGroupCatalog(
                brokers: "127.0.0.1:1", patienceMilliseconds: 1_000)
            let begun = Clock.monotonicNanoseconds()
            for ask in [{ _ = try catalog.all() }, { _ = try catalog.describe("g") }] {
                let error = #expect(throws: KafkaError.self) { try ask() }
                #expect(error?.code == .noBroker)
            }
            #expect(Clock.monotonicNanoseconds() - begun < 20_000_000_000)
        }

        @Test func brokersThatDoNotUnderstand() throws {
            let cluster = try MockCluster()
            let catalog = try KafkaGroupCatalog(
                brokers: cluster.bootstrap, patienceMilliseconds: 3_000)
            for ask in [{ _ = try catalog.all() }, { _ = try catalog.describe("g") }] {
                let error = #expect(throws: KafkaError.self) { try ask() }
                #expect(error?.message.isEmpty == false)
                #expect(error?.code != .noSuchGroup)
            }
        }
    #endif
}
