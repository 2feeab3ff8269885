internal import ArgumentParser
internal import Millrace
internal import MillraceReport

/// `millrace group`: who reads what, and how far.
struct GroupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group", abstract: "Lists, describes, resets and deletes consumer groups.",
        subcommands: [List.self, Describe.self, Reset.self, Delete.self])

    /// What a script gets of a group.
    struct Description: Encodable {
        struct Member: Encodable {
            let id: String
            let process: Int
            let core: Int
            let instance: Bool
            let present: Bool
        }

        struct Partition: Encodable {
            let topic: String
            let partition: Int
            let committed: UInt64?
            let end: UInt64?
            let lag: UInt64?
            let owner: String?
            let process: Int?
            let core: Int?
            let generation: UInt32
        }

        /// A consumer of another group on a core of this one.
        struct SharedCore: Encodable {
            let core: Int
            let group: String
            let process: Int
        }

        let group: String
        let state: String
        let generation: UInt32
        let assignor: String
        let members: [Member]
        let partitions: [Partition]
        let sharedCores: [SharedCore]

        init(_ name: String, in catalog: GroupCatalog) throws {
            let group = try catalog.describe(name)
            let cores = Set(group.members.filter(\.isPresent).map(\.core))
            sharedCores = try catalog.coreUses().filter {
                $0.group != name && cores.contains($0.core)
            }.map { SharedCore(core: $0.core, group: $0.group, process: $0.process) }
            self.group = group.name
            state = group.state.rawValue
            generation = group.generation
            assignor = group.assignor.rawValue
            members = group.members.map {
                Member(
                    id: $0.id.name, process: $0.process, core: $0.core, instance: $0.isInstance,
                    present: $0.isPresent)
            }
            partitions = group.partitions.map {
                Partition(
                    topic: $0.partition.topic, partition: $0.partition.partition,
                    committed: $0.committed, end: $0.end, lag: $0.lag, owner: $0.owner?.id.name,
                    process: $0.owner?.process, core: $0.owner?.core, generation: $0.generation)
            }
        }

        /// Members that own nothing.
        var idle: [Member] {
            let owners = Set(partitions.compactMap(\.owner))
            return members.filter { $0.present && !owners.contains($0.id) }
        }

        /// Rows that are not yet consumed, as far as is known.
        var lag: UInt64 { partitions.reduce(0) { $0 + ($1.lag ?? 0) } }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists all groups.",
            discussion: """
                Example: millrace group list
                Example: millrace group list --bootstrap-server broker:9092
                """)

        @OptionGroup var places: DataOptions
        @OptionGroup var kafka: KafkaGroupOptions
        @Flag(help: "Print one JSON document.") var json = false

        func run() throws {
            if let groups = try ExitStatus.coded({ try kafka.groups() }) {
                if json { return try JSONText.print(groups) }
                for line in KafkaGroupText.table(groups).linesOnOutput() { print(line) }
                return
            }
            let groups = try ExitStatus.coded {
                let catalog = try places.groups()
                return try catalog.names().map { try Description($0, in: catalog) }
            }
            if json { return try JSONText.print(groups) }
            let table = TextTable(
                columns: [
                    .text("group"), .text("state"), .number("generation"), .number("members"),
                    .number("partitions"), .number("lag"),
                ],
                rows: groups.map {
                    [
                        $0.group, $0.state, "\($0.generation)",
                        "\($0.members.count { $0.present })", "\($0.partitions.count)",
                        NumberText.count(Int($0.lag)),
                    ]
                })
            for line in table.linesOnOutput() { print(line) }
        }
    }

    struct Describe: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Describes one group: who owns which partition, and how far it is.",
            discussion: """
                A member that owns nothing has a line of its own. Generations are those in which the
                owners became that; an instance that is awaited keeps its partitions for a while.
                Example: millrace group describe predict
                Example: millrace group describe predict --bootstrap-server broker:9092
                """)

        @Argument(help: "The group's name.") var name: String
        @OptionGroup var places: DataOptions
        @OptionGroup var kafka: KafkaGroupOptions
        @Flag(help: "Print one JSON document.") var json = false

        func run() throws {
            if let group = try ExitStatus.coded({ try kafka.group(name) }) {
                if json { return try JSONText.print(group) }
                for line in group.lines { print(line) }
                return
            }
            let group = try ExitStatus.coded {
                try Description(name, in: places.groups())
            }
            if json { return try JSONText.print(group) }
            for line in Self.lines(group) { print(line) }
        }

        private static func lines(_ group: Description) -> [String] {
            func text(_ number: (some CustomStringConvertible)?) -> String {
                number.map { "\($0)" } ?? "-"
            }
            let table = TextTable(
                columns: [
                    .text("topic"), .number("partition"), .number("committed"), .number("end"),
                    .number("lag"), .number("process"), .number("core"), .number("generation"),
                    .text("owner"),
                ],
                rows: group.partitions.map {
                    [
                        $0.topic, "\($0.partition)", text($0.committed), text($0.end),
                        text($0.lag), text($0.process), text($0.core), "\($0.generation)",
                        $0.owner ?? "-",
                    ]
                }
                    + group.idle.map {
                        ["-", "-", "-", "-", "-", text($0.process), text($0.core), "-", $0.id]
                    })
            let missing = group.members.filter { !$0.present }.map(\.id)
            return [
                "group       \(group.group)", "state       \(group.state)",
                "generation  \(group.generation)", "assignor    \(group.assignor)",
                "members     \(group.members.count - missing.count)",
            ] + (missing.isEmpty ? [] : ["awaited     \(missing.joined(separator: ", "))"])
                + group.sharedCores.map {
                    "shared      core \($0.core) with group \($0.group), process \($0.process)"
                }
                + table.linesOnOutput()
        }
    }

    struct Reset: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sets what a group reads next in a topic.",
            discussion: """
                The group must have no members. A stage's outputs stay: rows that it reads again get
                another outcome behind them.
                Example: millrace group reset predict flights.live --to earliest
                """)

        @Argument(help: "The group's name.") var name: String
        @Argument(help: "The topic's name.") var topic: String
        @Option(help: "To the first row that is kept, or behind the last: earliest or latest.")
        var to: Edge?
        @Option(help: "To this offset, or the nearest that is there.") var toOffset: UInt64?
        @Option(help: "To the first row of this time: seconds since 1970, or 2026-11-25T06:00:00Z.")
        var toTime: TimeArgument?
        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        /// An end of a topic.
        enum Edge: String, ExpressibleByArgument, CaseIterable {
            case earliest, latest
        }

        private struct Result: Encodable {
            let group: String
            let topic: String
            let offsets: [UInt64]
        }

        private var targets: [StartOffset] {
            [
                to.map { $0 == .earliest ? StartOffset.earliest : .latest },
                toOffset.map { .offset($0) }, toTime.map { .time($0.nanoseconds) },
            ].compactMap(\.self)
        }

        func validate() throws {
            guard targets.count != 1 else { return }
            throw ValidationError("say where to: --to, --to-offset or --to-time, one of them")
        }

        func run() throws {
            let offsets = try ExitStatus.coded {
                let catalog = try places.groups()
                return try catalog.reset(name, topic: topic, to: targets[0])
            }
            if json {
                return try JSONText.print(Result(group: name, topic: topic, offsets: offsets))
            }
            for (partition, offset) in offsets.enumerated() {
                print("\(topic)/\(partition) goes on at \(offset).")
            }
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forgets what a group has committed.",
            discussion: """
                The group must have no members. What a stage has written stays, and says where the
                stage goes on.
                Example: millrace group delete predict
                """)

        @Argument(help: "The group's name.") var name: String
        @OptionGroup var places: DataOptions

        func run() throws {
            try ExitStatus.coded {
                try places.groups().delete(name)
            }
        }
    }
}

extension DataOptions {
    /// The groups of the data directory, which must be there.
    fileprivate func groups() throws -> GroupCatalog {
        GroupCatalog(try DataDirectory(data, create: false))
    }
}
