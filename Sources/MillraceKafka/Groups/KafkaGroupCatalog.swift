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

    /// All groups, in the order of their names.
    ///
    /// - Throws: `KafkaError` with `noBroker`, `notAuthenticated`, `notAuthorised` or `client`.
    /// - Complexity: two questions, and for each group what `describe` asks of its offsets.
    public func all() throws(KafkaError) -> [KafkaGroupDescription] {
        #if Kafka
            let patience = Patience(milliseconds: patienceMilliseconds)
            let client = try client(of: nil)
            let groups = try client.groups(patience).sorted { $0.name < $1.name }
            let topics = try client.topics(patience)
            var found: [KafkaGroupDescription] = []
            for group in groups {
                found.append(try describe(group, topics, self.client(of: group.name), patience))
            }
            return found
        #else
            preconditionFailure("without librdkafka there is no catalog")
        #endif
    }

    /// Describes one group.
    ///
    /// - Throws: `KafkaError` with `noSuchGroup`, and as `all`.
    /// - Complexity: a few questions; one of them names every partition of the cluster.
    public func describe(_ name: String) throws(KafkaError) -> KafkaGroupDescription {
        #if Kafka
            let patience = Patience(milliseconds: patienceMilliseconds)
            let client = try client(of: name)
            guard let group = try client.groups(named: name, patience).first else {
                throw noSuchGroup(name)
            }
            let found = try describe(group, client.topics(patience), client, patience)
            // Brokers describe any name: one that nobody has ever used as dead, or as empty.
            if found.members.isEmpty, found.partitions.isEmpty {
                let all = try client.groups(patience)
                guard all.contains(where: { $0.name == name }) else { throw noSuchGroup(name) }
            }
            return found
        #else
            preconditionFailure("without librdkafka there is no catalog")
        #endif
    }

    #if Kafka
        /// What a coordinator tells of a group, and how far it is in the cluster's topics; `client`
        /// is of that group.
        private func describe(
            _ group: KafkaClient.Coordinated, _ topics: [String: Int], _ client: KafkaClient,
            _ patience: Patience
        ) throws(KafkaError) -> KafkaGroupDescription {
            let committed = try client.committed(topics, patience)
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
                name: group.name, state: group.state, assignor: group.assignor,
                members: group.members,
                partitions: partitions.sorted {
                    ($0.topic, $0.partition) < ($1.topic, $1.partition)
                })
        }

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
