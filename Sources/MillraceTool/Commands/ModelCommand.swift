internal import ArgumentParser
internal import Millrace

/// `millrace model`: what is in the model repository.
struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model", abstract: "Lists, shows, imports and exports models.",
        subcommands: [List.self, Show.self, Import.self, Export.self])

    /// A model in the list.
    struct Entry: Codable {
        let name: String
        let versions: [Int]
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists all models.", discussion: "Example: millrace model list")

        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func run() throws {
            let entries = try ExitStatus.coded {
                let repository = ModelRepository(path: places.models)
                return try repository.names().map {
                    Entry(name: $0, versions: try repository.versions(of: $0))
                }
            }
            if json { return try JSONText.print(entries) }
            let table = TextTable(
                columns: [.text("model"), .number("newest"), .number("versions")],
                rows: entries.map { [$0.name, "\($0.versions.last ?? 0)", "\($0.versions.count)"] })
            for line in table.linesOnOutput() { print(line) }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a version's manifest as JSON.",
            discussion: "Example: millrace model show flights-delay@3")

        @Argument(help: "NAME, or NAME@VERSION for another than the newest.") var model: String
        @OptionGroup var places: DataOptions

        func run() throws {
            let manifest = try ExitStatus.coded {
                let repository = ModelRepository(path: places.models)
                let (name, version) = try ModelCommand.version(model, in: repository)
                return try repository.manifest(name, version: version)
            }
            try JSONText.print(manifest)
        }
    }
}
