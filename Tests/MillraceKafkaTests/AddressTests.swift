import MillraceSystem
import Testing

@testable import MillraceKafka

/// Addresses of Kafka topics: what is taken, what is refused, and that nothing else happens.
@Suite struct KafkaAddressTests {
    @Test(arguments: [
        ("kafka://a:1/t", "kafka://a:1/t"),
        ("kafka://a/t", "kafka://a:9092/t"),
        ("kafka://a:1,b,c:65535/x.y_z-1", "kafka://a:1,b:9092,c:65535/x.y_z-1"),
        ("kafka://10.0.0.1:9093/t", "kafka://10.0.0.1:9093/t"),
        ("kafka://[::1]:9093,[fe80::2]/t", "kafka://[::1]:9093,[fe80::2]:9092/t"),
        ("kafka://my_host.example-1:9092/T", "kafka://my_host.example-1:9092/T"),
    ])
    func takes(_ text: String, _ canonical: String) throws {
        let address = try KafkaAddress(text)
        #expect(address.description == canonical)
        #expect(try KafkaAddress(address.description) == address)
        #expect(canonical == KafkaAddress.scheme + address.bootstrap + "/" + address.topic)
    }

    @Test(arguments: [
        ("http://a:1/t", "not the address"), ("kafka:/a:1/t", "not the address"),
        ("kafka://a:1", "no topic"), ("kafka://a:1/", "no topic"), ("kafka://", "no topic"),
        ("kafka:///t", "broker without a name"), ("kafka://,/t", "broker without a name"),
        ("kafka://a:1,,b:2/t", "broker without a name"), ("kafka://:9092/t", "without a name"),
        ("kafka://a:1,/t", "broker without a name"),
        ("kafka://a:/t", "not a port"), ("kafka://a:0/t", "not a port"),
        ("kafka://a:65536/t", "not a port"), ("kafka://a:-1/t", "not a port"),
        ("kafka://a:+1/t", "not a port"), ("kafka://a:1:2/t", "not a port"),
        ("kafka://a:99999999999999999999/t", "not a port"),
        ("kafka://a b:1/t", "not the name of a host"), ("kafka://a\n:1/t", "not the name"),
        ("kafka://ä:1/t", "not the name of a host"),
        ("kafka://[::1:1/t", "no ]"), ("kafka://[]:1/t", "not an address of IPv6"),
        ("kafka://[::g]:1/t", "not an address of IPv6"), ("kafka://[::1]x/t", "behind ]"),
        ("kafka://a:1/t/u", "cannot be a topic"), ("kafka://a:1/t?x=1", "cannot be a topic"),
        ("kafka://a:1/..", "cannot be a topic"), ("kafka://a:1/ t", "cannot be a topic"),
    ])
    func refuses(_ text: String, _ part: String) {
        let error = #expect(throws: KafkaError.self) { try KafkaAddress(text) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
        #expect(error?.place == text)
    }

    /// A password in an address is refused, and not repeated.
    @Test func refusesUsersWithoutEcho() {
        let error = #expect(throws: KafkaError.self) {
            try KafkaAddress("kafka://joe:hunter2@a:1/t")
        }
        #expect(error?.message.contains("no user") == true)
        #expect(error?.description.contains("hunter2") == false)
        #expect(error?.description.contains("joe") == false)
    }

    /// Any text is an address that reads back as itself, or an error that says something.
    @Test func anyText() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        let parts = [
            "kafka://", "kafka:/", "a", "b.c", ":", "9092", "0", "65535", "70000", ",", "/", "t",
            "[", "]", "::1", "@", "?", " ", "\0", "é", "-", "_", ".", "..", "%", "\n",
        ]
        var taken = 0
        for turn in 0..<20_000 {
            var text = ["", "kafka://", "kafka://a/t"][turn % 3]
            for _ in 0..<random.next() % 9 { text += parts[Int(random.next() % 26)] }
            do throws(KafkaError) {
                let address = try KafkaAddress(text)
                taken += 1
                #expect(address.brokers.allSatisfy { (1...65_535).contains($0.port) })
                #expect(Names.isValid(address.topic))
                let again = try KafkaAddress(address.description)
                #expect(again == address, "\(text), seed \(seed)")
            } catch {
                #expect(error.code == .invalidArgument && !error.message.isEmpty)
            }
        }
        // One in nine of a third has nothing added to it.
        #expect(taken > 300, "seed \(seed)")
    }
}
