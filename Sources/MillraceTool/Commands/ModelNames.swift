internal import ArgumentParser
internal import Millrace

extension ModelCommand {
    /// `millrace model promote`.
    struct Promote: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets an alias name a version, and ends a rollback.",
            discussion: """
                Scorers of NAME@stable take it at once. After a rollback, NAME alone is the version
                promoted until one is published that is newer than all that there are. With another
                alias than stable and latest, NAME alone stays what it is.

                Example: millrace model promote flights-delay@7
                Example: millrace model promote flights-delay@9 --alias canary
                """)

        @Argument(help: "NAME@VERSION, or NAME@ALIAS for the version that it names now.")
        var model: String
        @Option(help: "The alias: latest, stable, or a name of your own.")
        var alias = ModelReference.stable
        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func run() throws {
            let (name, changes) = try ExitStatus.coded {
                let found = try places.find(model)
                let changes = try places.repository.promote(
                    found.name, version: found.version, as: alias)
                return (found.name, changes)
            }
            try ModelCommand.tell(changes, of: name, json: json)
        }
    }

    /// `millrace model rollback`.
    struct Rollback: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a model back to the version before.",
            discussion: """
                What is published meanwhile changes nothing: it holds until the next promote. Another
                alias goes back to the version that it named before.

                Example: millrace model rollback flights-delay
                Example: millrace model rollback flights-delay --to 5
                Example: millrace model rollback flights-delay --alias stable
                """)

        @Argument(help: "The model's name.") var name: String
        @Option(help: "The version to go to. Default: the one before.") var to: Int?
        @Option(help: "The alias. Default: latest, which is what NAME alone means.")
        var alias = ModelReference.latest
        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func run() throws {
            let (change, newer) = try ExitStatus.coded {
                let repository = places.repository
                let change = try repository.rollback(name, to: to, alias: alias)
                let others = try repository.aliases(of: name).versions
                return (change, others.filter { $0.value > change.to }.keys.sorted())
            }
            try ModelCommand.tell([change], of: name, json: json)
            for other in newer {
                ExitStatus.write(
                    "note: \(name)@\(other) still names a newer version; to take it back too: "
                        + "millrace model rollback \(name) --alias \(other)")
            }
        }
    }

    /// `millrace model prune`.
    struct Prune: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes old versions of a model.",
            discussion: """
                The newest stay, and whatever an alias names or a running program uses. Numbers are
                not given again.

                Example: millrace model prune flights-delay --keep 10
                """)

        @Argument(help: "The model's name.") var name: String
        @Option(help: "How many of the newest versions stay, at least 1.") var keep: Int
        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func validate() throws {
            guard keep > 0 else { throw ValidationError("--keep is at least 1") }
        }

        func run() throws {
            let pruning = try ExitStatus.coded {
                try places.repository.prune(name, keeping: keep)
            }
            if json { return try JSONText.print(pruning) }
            let removed = pruning.removed.map(String.init).joined(separator: ", ")
            print(removed.isEmpty ? "nothing to remove" : "removed \(removed)")
            for kept in pruning.kept {
                let reason =
                    kept.aliases.isEmpty
                    ? "in use" : "named by \(kept.aliases.joined(separator: ", "))"
                print("kept \(name)@\(kept.version): \(reason)")
            }
        }
    }

    /// Says where aliases were and are.
    private static func tell(_ changes: [AliasChange], of name: String, json: Bool) throws {
        if json { return try JSONText.print(changes) }
        for change in changes {
            let before = change.from.map { ", was \($0)" } ?? ""
            print("\(name)@\(change.alias) is version \(change.to)\(before)")
        }
    }
}
