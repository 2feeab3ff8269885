#if Kafka
    import MillraceSystem
    import Testing

    @testable import MillraceKafka

    /// What a transaction does while a broker is not there.
    @Suite(.serialized) struct KafkaTransactionTests {
        private let cluster: MockCluster

        init() throws { cluster = try MockCluster() }

        /// The group's broker is away and the transaction's is there: librdkafka does not come back
        /// before the broker does.
        @Test func offsetsThatNoBrokerTakes() throws {
            try cluster.create("in", partitions: 1)
            try cluster.create("out", partitions: 1)
            cluster.coordinate(group: "g", by: 1)
            cluster.coordinate(transactions: "t", by: 2)
            let group = try GroupClient(
                cluster.address("in"), KafkaProperties(),
                GroupClient.Membership(group: "g", instance: nil, strategy: "range"))
            let producer = try KafkaProducer(
                cluster.address("out"), KafkaProperties(), transactionalID: "t")
            try producer.fenceOthers(Patience(milliseconds: 30_000))
            let member = try group.identity()
            try producer.begin()
            cluster.setDown(true, broker: 1)
            let begun = Clock.monotonicNanoseconds()
            let error = #expect(throws: KafkaError.self) {
                try producer.send(
                    offsets: [("in", 0, 2)], of: member, Patience(milliseconds: 1_000))
            }
            #expect(error?.code == .noBroker, "\(error.map { "\($0)" } ?? "")")
            #expect(throws: KafkaError.self) {
                try producer.abort(Patience(milliseconds: 60_000))
            }
            let seconds = Double(Clock.monotonicNanoseconds() - begun) / 1e9
            #expect(seconds < 30, "took \(seconds) s")
            cluster.setDown(false, broker: 1)
        }
    }
#endif
