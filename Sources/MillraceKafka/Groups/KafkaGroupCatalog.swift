/// The consumer groups of a Kafka cluster, looked at from outside.
///
/// What `kafka-consumer-groups.sh --list` and `--describe` show, of any program's groups.
/// **Thread-safety**: any thread; each call makes a client of its own.
public struct KafkaGroupCatalog: Sendable {
    private let address: KafkaAddress
    private let properties: KafkaProperties
    private let patienceMilliseconds: Int

    /// How long brokers may take to answer, unless it is said.
    public static let defaultPatienceMilliseconds = 30_000

    /// - Parameter brokers: `host:9092,other:9092`; a port that is left out is 9092.
    /// - Throws: `KafkaError` with `invalidArgument`, or `notBuilt`.
    public init(
        brokers: String, properties: KafkaProperties = KafkaProperties(),
        patienceMilliseconds: Int = defaultPatienceMilliseconds
    ) throws(KafkaError) {
        try KafkaError.checkBuilt()
        address = try KafkaAddress(brokers: brokers)
        self.properties = properties
        self.patienceMilliseconds = patienceMilliseconds
    }

    /// The names of all groups, in order.
    ///
    /// - Throws: `KafkaError` with `noBroker`, `notAuthenticated`, `notAuthorised` or `client`.
    public func names() throws(KafkaError) -> [String] {
        #if Kafka
            let patience = Patience(milliseconds: patienceMilliseconds)
            return try client(of: nil).groups(patience).map(\.name).sorted()
        #else
            preconditionFailure("without librdkafka there is no catalog")
        #endif
    }

    /// Describes one group.
    ///
    /// - Throws: `KafkaError` with `noSuchGroup`, and as `names`.
    /// - Complexity: four questions; one of them names every partition of the cluster.
    public func describe(_ name: String) throws(KafkaError) -> KafkaGroupDescription {
        #if Kafka
            let patience = Patience(milliseconds: patienceMilliseconds)
            let client = try client(of: name)
            guard let group = try client.groups(named: name, patience).first else {
                throw noSuchGroup(name)
            }
            let topics = try client.topics(patience)
            let committed = try client.committed(topics, patience)
            // Brokers describe any name: one that nobody has ever used as dead, or as empty.
            if group.members.isEmpty, committed.isEmpty {
                let all = try client.groups(patience)
                guard all.contains(where: { $0.name == name }) else { throw noSuchGroup(name) }
            }
            let places = Set(committed.keys).union(group.owners.keys)
            var ends: [String: [Int64]] = [:]
            for topic in Set(places.map(\.topic)) {
                guard let count = topics[topic], count > 0 else { continue }
                ends[topic] = try client.offsets(of: topic, partitions: count, patience)
                    .map(\.upperBound)
            }
            let partitions = places.map { place in
                let ends = ends[place.topic] ?? []
                return KafkaGroupDescription.Partition(
                    topic: place.topic, partition: place.partition, committed: committed[place],
                    end: ends.indices.contains(place.partition) ? ends[place.partition] : nil,
                    owner: group.owners[place])
            }
            return KafkaGroupDescription(
                name: name, state: group.state, assignor: group.assignor, members: group.members,
                partitions: partitions.sorted {
                    ($0.topic, $0.partition) < ($1.topic, $1.partition)
                })
        #else
            preconditionFailure("without librdkafka there is no catalog")
        #endif
    }

    #if Kafka
        private func client(of group: String?) throws(KafkaError) -> KafkaClient {
            let group = group.map { [("group.id", $0)] } ?? []
            return try KafkaClient(
                .consumer, address, properties,
                fixed: group + [
                    ("enable.auto.commit", "false"), ("allow.auto.create.topics", "false"),
                ])
        }

        private func noSuchGroup(_ name: String) -> KafkaError {
            KafkaError(
                .noSuchGroup, "there is no group '\(name)'", at: address.description,
                advice: "See 'millrace group list --bootstrap-server \(address.bootstrap)'.")
        }
    #endif
}
