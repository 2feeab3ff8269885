/// How a stage is a member of a consumer group of Kafka.
package struct KafkaGroupOptions: Sendable {
    /// The topic that is read.
    package var address: KafkaAddress
    /// The group's name.
    package var group: String
    /// A name under which the member comes back after a restart; nil for none.
    package var instance: String?
    /// The numbers of the partitions that are read, of a group that this process has to itself; nil
    /// for all.
    package var partitions: Set<Int>?
    /// How partitions are shared out among the members, by librdkafka's name.
    package var strategy: String
    /// Properties for librdkafka.
    package var properties: KafkaProperties
    /// Where to go on when Kafka has removed records that were not read yet.
    package var onOutOfRange: LostRecordPolicy
    /// How long brokers may be away before that is an error, in milliseconds.
    package var patienceMilliseconds: Int
    /// How long to try to reach a first broker, in milliseconds.
    package var connectMilliseconds: Int

    /// Options for a group.
    package init(
        address: KafkaAddress, group: String, instance: String? = nil,
        strategy: String = "cooperative-sticky",
        properties: KafkaProperties = KafkaProperties(), onOutOfRange: LostRecordPolicy = .error,
        patienceMilliseconds: Int = MirrorOptions.defaultPatienceMilliseconds
    ) {
        self.address = address
        self.group = group
        self.instance = instance
        self.strategy = strategy
        self.properties = properties
        self.onOutOfRange = onOutOfRange
        self.patienceMilliseconds = patienceMilliseconds
        connectMilliseconds = min(
            patienceMilliseconds, MirrorOptions.defaultConnectMilliseconds)
    }
}

/// Where a stage writes records.
package struct KafkaSinkOptions: Sendable {
    /// A topic of the cluster.
    package var address: KafkaAddress
    /// Properties for librdkafka.
    package var properties: KafkaProperties

    /// Options for a sink.
    package init(address: KafkaAddress, properties: KafkaProperties = KafkaProperties()) {
        self.address = address
        self.properties = properties
    }
}
