internal import ArgumentParser
internal import MillraceKafka
internal import MillraceReport
internal import MillraceSystem

/// Where the groups of a Kafka cluster are asked for.
struct KafkaGroupOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Look at the groups of a Kafka cluster, and not at those of the data directory.",
            valueName: "host:port,…"))
    var bootstrapServer: String?
    @OptionGroup var kafka: KafkaPropertyOptions

    func validate() throws {
        guard bootstrapServer != nil || kafka.isEmpty else {
            throw ValidationError("--kafka-property goes with --bootstrap-server")
        }
    }

    private func catalog() throws -> KafkaGroupCatalog? {
        try bootstrapServer.map {
            try KafkaGroupCatalog(brokers: $0, properties: kafka.properties())
        }
    }

    /// The cluster's groups; nil where the data directory's are meant.
    func groups() throws -> [KafkaGroupText]? {
        try catalog()?.all().map(KafkaGroupText.init)
    }

    /// One of them.
    func group(_ name: String) throws -> KafkaGroupText? {
        try catalog().map { KafkaGroupText(try $0.describe(name)) }
    }
}

/// What is printed of a group of Kafka.
struct KafkaGroupText: Encodable {
    struct Member: Encodable {
        let id: String
        let client: String
        let host: String
    }

    struct Partition: Encodable {
        let topic: String
        let partition: Int
        let committed: Int64?
        let end: Int64?
        let lag: Int64?
        let owner: String?
    }

    let group: String
    let state: String
    let assignor: String
    let members: [Member]
    let partitions: [Partition]

    init(_ group: KafkaGroupDescription) {
        self.group = group.name
        state = group.state
        assignor = group.assignor
        members = group.members.map {
            Member(id: $0.id, client: $0.client, host: $0.host)
        }
        partitions = group.partitions.map {
            Partition(
                topic: $0.topic, partition: $0.partition, committed: $0.committed, end: $0.end,
                lag: $0.lag, owner: $0.owner)
        }
    }

    /// Offsets that are not yet consumed, as far as is known.
    private var lag: Int64 { partitions.reduce(0) { $0.adding(clamped: $1.lag ?? 0) } }

    /// A table of groups, a line each.
    static func table(_ groups: [KafkaGroupText]) -> TextTable {
        TextTable(
            columns: [
                .text("group"), .text("state"), .number("members"), .number("partitions"),
                .number("lag"),
            ],
            rows: groups.map {
                [
                    $0.group, $0.state, "\($0.members.count)", "\($0.partitions.count)",
                    NumberText.count(Int($0.lag)),
                ]
            })
    }

    /// The group, a line for each partition and for each member that owns nothing.
    var lines: [String] {
        func text(_ number: Int64?) -> String { number.map { "\($0)" } ?? "-" }
        let hosts = Dictionary(members.map { ($0.id, $0.host) }) { first, _ in first }
        let owners = Set(partitions.compactMap(\.owner))
        let table = TextTable(
            columns: [
                .text("topic"), .number("partition"), .number("committed"), .number("end"),
                .number("lag"), .text("host"), .text("owner"),
            ],
            rows: partitions.map {
                [
                    $0.topic, "\($0.partition)", text($0.committed), text($0.end), text($0.lag),
                    $0.owner.flatMap { hosts[$0] } ?? "-", $0.owner ?? "-",
                ]
            }
                + members.filter { !owners.contains($0.id) }.map {
                    ["-", "-", "-", "-", "-", $0.host, $0.id]
                })
        return [
            "group       \(group)", "state       \(state)",
            "assignor    \(assignor.isEmpty ? "-" : assignor)", "members     \(members.count)",
        ] + table.linesOnOutput()
    }
}
