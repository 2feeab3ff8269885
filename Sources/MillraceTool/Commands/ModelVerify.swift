internal import ArgumentParser
internal import Millrace

extension ModelCommand {
    /// `millrace model verify`.
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Checks a version, or all of a model, and names every fault.",
            discussion: """
                Manifest, length and checksum of the weights, tensors, and the golden rows'
                predictions; of a whole model also its aliases. Changes nothing. Ends with 65 when
                there are faults.

                Example: millrace model verify flights-delay
                Example: millrace model verify flights-delay@stable --json
                """)

        @Argument(help: "NAME for all versions, or NAME@VERSION, or NAME@ALIAS.")
        var model: String
        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func run() throws {
            let findings = try ExitStatus.coded {
                guard !model.contains("@") else {
                    let found = try places.find(model)
                    let check = try places.repository.verify(found.name, version: found.version)
                    return Findings(model: found.name, [check])
                }
                return try Findings(
                    all: ModelReference(parsing: model), in: places.repository)
            }
            if json { try JSONText.print(findings) } else { findings.lines.forEach { print($0) } }
            guard findings.isSound else { throw ExitCode(PipelineError.Code.badData.rawValue) }
        }
    }

    /// What verification has found, as a script gets it.
    struct Findings: Encodable {
        struct Fault: Encodable {
            let code: String
            let file: String
            let byte: Int?
            let detail: String
            private let text: String

            private enum CodingKeys: String, CodingKey { case code, file, byte, detail }

            init(_ error: RepositoryError) {
                code = error.code.rawValue
                file = error.path
                byte = error.bytePosition
                detail = error.detail
                text = error.description
            }

            var line: String { "fault: \(text)" }
        }

        struct Version: Encodable {
            let version: Int
            let faults: [Fault]
            let goldenError: Double?
            let tolerance: Double?

            init(_ check: VersionCheck) {
                version = check.version
                faults = check.faults.map(Fault.init)
                goldenError = check.goldenError.flatMap { $0.isFinite ? $0 : nil }
                tolerance = check.tolerance
            }
        }

        let model: String
        let versions: [Version]
        /// What is wrong with the model as a whole: its aliases.
        let faults: [Fault]

        init(model: String, _ checks: [VersionCheck], _ faults: [RepositoryError] = []) {
            self.model = model
            versions = checks.map(Version.init)
            self.faults = faults.map(Fault.init)
        }

        /// Checks all versions that have a directory, and the aliases.
        init(all reference: ModelReference, in repository: ModelRepository) throws {
            let name = reference.name
            let numbers = try repository.directories(of: name)
            // Says what there is when there is nothing.
            if numbers.isEmpty { _ = try repository.version(of: reference) }
            self.init(
                model: name, try numbers.map { try repository.verify(name, version: $0) },
                try repository.verifyAliases(of: name))
        }

        var isSound: Bool { faults.isEmpty && versions.allSatisfy(\.faults.isEmpty) }

        /// For people: every fault, then how many versions are sound.
        var lines: [String] {
            let all = faults + versions.flatMap(\.faults)
            let sound = versions.filter(\.faults.isEmpty).count
            return all.map(\.line) + ["\(model): sound: \(sound); faults: \(all.count)"]
        }
    }
}
