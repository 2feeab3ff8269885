internal import ArgumentParser
internal import Glibc
internal import Millrace

extension ModelCommand {
    /// `millrace model predict`.
    struct Predict: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Predicts the rows of a CSV or JSON Lines file.",
            discussion: """
                CSV has a header; of JSON the members of the first object say the same. Columns are those that the model's features were made from,
                or the features themselves; without names, all of them in order. Empty fields are
                missing values. What is printed is CSV, with --json one JSON document a line; the
                outputs of a classifier are the probabilities of all its classes.

                Example: millrace model predict flights-delay --from today.csv --json
                Example: head -100 rows.csv | millrace model predict digits@3 --from -
                """)

        @Argument(help: ArgumentHelp(ModelCommand.referenceHelp)) var model: String
        @Option(help: "The file, plain or compressed by LZ4; - is standard input.")
        var from: String
        @Option(help: "csv or jsonl; what the file's name ends with says it, too.")
        var format: TextFormat?
        @Option(help: ArgumentHelp(PrecisionArgument.help)) var precision = "float32"
        @OptionGroup var places: DataOptions
        @Flag(help: "Print JSON Lines.") var json = false

        private static let chunk = 1024

        func run() throws {
            Signals.ignoreBrokenPipesAndFileSizes()
            try ExitStatus.coded {
                let precision = try PrecisionArgument.parse(precision)
                let found = try places.find(model)
                let loaded = try places.repository.load(
                    found.name, version: found.version, precision: precision)
                if let fallback = loaded.fallback {
                    ExitStatus.write(
                        "note: predicted in float32, not \(precision.rawValue): \(fallback)")
                }
                var predictor = try FilePredictor(loaded, path: from, format: format)
                if !json { print(Self.header(loaded.model)) }
                while true {
                    let rows = try predictor.next(Self.chunk)
                    guard !rows.isEmpty else { return }
                    for row in rows {
                        let line = try json ? JSONText.line(row) : Self.text(row, loaded.model)
                        // A reader that went away, such as `head`, is no failure.
                        guard unsafe puts(line) >= 0 else { return }
                    }
                }
            }
        }

        /// The columns that are printed: the class, then an output for each label.
        private static func header(_ model: Model) -> String {
            let count = model.head == .sigmoid ? 2 : model.outputWidth
            let outputs =
                model.labels.count == count ? model.labels : (0..<count).map { "output\($0)" }
            let classes = model.classCount > 0 ? ["class"] : []
            return (["row"] + classes + outputs).map(quoted).joined(separator: ",")
        }

        private static func text(_ row: RowPrediction, _ model: Model) -> String {
            let count = model.head == .sigmoid ? 2 : model.outputWidth
            let outputs =
                row.outputs?.map { "\($0)" } ?? [String](repeating: "", count: count)
            let classes = model.classCount > 0 ? [row.class ?? ""] : []
            return (["\(row.row)"] + classes + outputs).map(quoted).joined(separator: ",")
        }

        private static func quoted(_ field: String) -> String {
            guard field.contains(where: { ",\"\n\r\r\n".contains($0) }) else { return field }
            return "\""
                + field.split(separator: "\"", omittingEmptySubsequences: false)
                .joined(separator: "\"\"") + "\""
        }
    }
}
