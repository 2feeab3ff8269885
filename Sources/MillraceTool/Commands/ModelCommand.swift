internal import ArgumentParser
internal import Millrace

/// `millrace model`: what is in the model repository.
struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Lists, shows, names, checks, tries, calibrates, imports and exports models.",
        subcommands: [
            List.self, Show.self, Import.self, Export.self, Promote.self, Rollback.self, Prune.self,
            Verify.self, Predict.self, Quantize.self,
        ])

    /// A model in the list.
    struct Entry: Codable {
        let name: String
        let versions: [Int]
        /// The version that each alias names; `latest` is what the name alone means.
        let aliases: [String: Int]
        /// Whether `latest` was rolled back and stays until the next promotion.
        let rolledBack: Bool

        init(_ name: String, in repository: ModelRepository) throws {
            self.name = name
            versions = try repository.versions(of: name)
            let aliases = try repository.aliases(of: name)
            self.aliases = aliases.versions
            rolledBack = aliases.isRolledBack
        }

        /// The aliases for people, what the name alone means first.
        var aliasesText: String {
            let latest = aliases[ModelReference.latest].map {
                "latest \($0)" + (rolledBack ? " (rolled back)" : "")
            }
            let others = aliases.filter { $0.key != ModelReference.latest }
                .sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            return ((latest.map { [$0] } ?? []) + others).joined(separator: ", ")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists all models.", discussion: "Example: millrace model list")

        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func run() throws {
            let entries = try ExitStatus.coded {
                let repository = places.repository
                return try repository.names().map { try Entry($0, in: repository) }
            }
            if json { return try JSONText.print(entries) }
            let table = TextTable(
                columns: [
                    .text("model"), .number("newest"), .number("versions"), .text("aliases"),
                ],
                rows: entries.map {
                    [
                        $0.name, "\($0.versions.last ?? 0)", "\($0.versions.count)",
                        $0.aliasesText,
                    ]
                })
            for line in table.linesOnOutput() { print(line) }
        }
    }

    /// A manifest with the names that its version has now, and what it was calibrated for.
    struct Shown: Encodable {
        /// A calibration, and what comes of it here.
        struct Calibrated: Encodable {
            let calibrated: CalibratedPrecision

            private enum CodingKeys: String, CodingKey { case scoredHereIn, fallback }

            func encode(to encoder: any Encoder) throws {
                try calibrated.encode(to: encoder)
                let precision = calibrated.precision
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(
                    precision.isAvailable ? precision : .float32, forKey: .scoredHereIn)
                try container.encodeIfPresent(precision.unavailability, forKey: .fallback)
            }
        }

        let manifest: Manifest
        let aliases: [String]
        let precisions: [Calibrated]

        private enum CodingKeys: String, CodingKey { case aliases, precisions }

        func encode(to encoder: any Encoder) throws {
            try manifest.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(aliases, forKey: .aliases)
            try container.encode(precisions, forKey: .precisions)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a version's manifest, aliases and calibrations as JSON.",
            discussion: "Example: millrace model show flights-delay@3")

        @Argument(help: ArgumentHelp(ModelCommand.referenceHelp)) var model: String
        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document, as without it.") var json = false

        func run() throws {
            let shown = try ExitStatus.coded {
                let (name, version) = try places.find(model)
                return Shown(
                    manifest: try places.repository.manifest(name, version: version),
                    aliases: try places.repository.aliases(of: name).names(of: version),
                    precisions: try places.repository.precisions(of: name, version: version)
                        .map(Shown.Calibrated.init))
            }
            try JSONText.print(shown)
        }
    }

    /// How a version is named on the command line.
    static let referenceHelp =
        "NAME for the newest version or the one rolled back to, NAME@7, or NAME@ALIAS."
}
