internal import ArgumentParser
internal import Millrace
internal import MillraceReport

extension TopicCommand {
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reads everything of a topic and names every fault.",
            discussion: """
                Changes nothing; may run beside writers. Ends with 65 when there are faults.
                With --salvage, no writer may work on the topic meanwhile; say what the topic was
                (--features, --partitions and so on, as for create) only when its description is
                lost.
                Example: millrace topic verify flights.raw --salvage rescued
                """)

        @Argument(help: "The topic's name.") var name: String
        @Option(help: "Copy what is intact into this data directory.") var salvage: String?
        @OptionGroup var options: TopicOptions
        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func validate() throws {
            guard salvage == nil, try options.configuration() != nil else { return }
            throw ValidationError("what the topic was is needed for --salvage only")
        }

        func run() throws {
            let configuration = try options.configuration()
            let findings = try ExitStatus.coded {
                let data = try DataDirectory(places.data, create: false)
                guard let salvage else { return Findings(try data.verifyTopic(name)) }
                let target = try DataDirectory(salvage, create: true)
                let report = try data.salvageTopic(name, into: target, as: configuration)
                return Findings(report, directory: target.path)
            }
            if json { try JSONText.print(findings) } else { findings.lines.forEach { print($0) } }
            if !findings.faults.isEmpty { throw ExitCode(PipelineError.Code.badData.rawValue) }
        }
    }

    /// What verification has found, as a script gets it.
    struct Findings: Encodable {
        struct Fault: Encodable {
            let effect: String
            let file: String
            let byte: Int?
            let expected: String
            let found: String
            let partition: Int?
            /// First and behind the last byte of the file that cannot be read.
            let lostBytes: [Int]?
            /// First and behind the last offset among which the lost rows are.
            let lostOffsets: [UInt64]?

            init(_ fault: TopicVerification.Fault) {
                effect = fault.effect.rawValue
                file = fault.path
                byte = fault.position
                expected = fault.expected
                found = fault.found
                partition = fault.partition
                lostBytes = fault.lostBytes.map { [$0.lowerBound, $0.upperBound] }
                lostOffsets = fault.lostOffsets.map { [$0.lowerBound, $0.upperBound] }
            }
        }

        struct Note: Encodable {
            let file: String
            let text: String
        }

        struct Counts: Encodable {
            let segments: Int
            let batches: Int
            let rows: UInt64
            let bytes: UInt64

            init(_ counts: TopicVerification.Counts) {
                segments = counts.segments
                batches = counts.batches
                rows = counts.rows
                bytes = counts.bytes
            }

            var text: String {
                "rows \(NumberText.count(Int(rows))), batches \(NumberText.count(batches)), "
                    + "segments \(NumberText.count(segments)), \(NumberText.bytes(Int(bytes)))"
            }
        }

        struct Salvage: Encodable {
            let directory: String
            let kept: Counts
            let lostDictionaryIDs: [UInt32]
        }

        let topic: String
        let intact: Counts
        let faults: [Fault]
        let notes: [Note]
        private(set) var salvage: Salvage?
        private let texts: [String]

        private enum CodingKeys: String, CodingKey { case topic, intact, faults, notes, salvage }

        init(_ found: TopicVerification) {
            topic = found.topic
            intact = Counts(found.counts)
            faults = found.faults.map(Fault.init)
            notes = found.notes.map { Note(file: $0.path, text: $0.text) }
            texts = found.faults.map(\.description)
        }

        init(_ report: SalvageReport, directory: String) {
            self.init(report.original)
            salvage = Salvage(
                directory: directory, kept: Counts(report.kept),
                lostDictionaryIDs: report.lostDictionaryIDs)
        }

        /// For people: faults, notes, and what is intact.
        var lines: [String] {
            var lines = texts.map { "fault: " + $0 }
            lines += notes.map { "note: \($0.file): \($0.text)" }
            lines.append("\(topic): intact: \(intact.text); faults: \(faults.count)")
            if let salvage {
                lines.append("copied to \(salvage.directory): \(salvage.kept.text)")
                for id in salvage.lostDictionaryIDs {
                    lines.append("lost: the text of dictionary id \(id), now a placeholder")
                }
            }
            return lines
        }
    }
}
