internal import ArgumentParser
internal import Millrace

extension ModelCommand {
    /// `millrace model quantize`.
    struct Quantize: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Calibrates a version for a precision, so that it may be scored in it.",
            discussion: """
                Predicts rows in float32 and in the other precision, and records the largest and
                the mean difference of the outputs with the version. With --bound, a difference
                that is larger is refused with 65, and nothing is recorded; without, the bound is
                twice the largest one found. Later loads in that precision hold the golden rows to
                the bound. For int8 the rows also set the ranges that bytes are spread over: give
                rows like those that will be scored. Weights, manifest and aliases stay as they are.

                Example: millrace model quantize flights-delay@7 --precision bf16 \\
                  --calibrate flights.live --bound 0.01
                Example: millrace model quantize digits --precision int8 --from rows.csv --json
                """)

        @Argument(help: ArgumentHelp(ModelCommand.referenceHelp)) var model: String
        @Option(help: "The precision: bf16 (or bfloat16), or int8.") var precision: String
        @Option(help: "The feature topic whose first rows are predicted.") var calibrate: String?
        @Option(help: "A CSV file whose rows are predicted, as model predict reads it.")
        var from: String?
        @Option(help: "How many rows at most.") var rows = 10_000
        @Option(help: "The largest difference that is allowed, of outputs between 0 and 1 or so.")
        var bound: Double?
        @OptionGroup var places: DataOptions
        @Flag(help: "Print one JSON document.") var json = false

        func validate() throws {
            guard (calibrate == nil) != (from == nil) else {
                throw ValidationError("name a topic with --calibrate, or a file with --from")
            }
            guard rows > 0 else { throw ValidationError("--rows is at least 1") }
            if let bound, !(bound > 0 && bound.isFinite) {
                throw ValidationError("--bound is a positive number")
            }
        }

        func run() throws {
            let (name, found, isLinear) = try ExitStatus.coded {
                let precision = try PrecisionArgument.parse(precision)
                guard precision != .float32 else {
                    throw PipelineError(
                        .usage, "float32 is what other precisions are compared with",
                        advice: "Name another: bf16 or int8.")
                }
                let (name, version) = try places.find(model)
                var calibration = try Calibration(
                    places.repository, name, version: version, precision: precision)
                if let from {
                    try calibration.add(file: from, most: rows)
                } else if let calibrate {
                    try calibration.add(topic: calibrate, data: places.data, most: rows)
                }
                let source = from.map { "file \($0)" } ?? "topic \(calibrate ?? "")"
                let isLinear = calibration.loaded.model.layers.count == 1
                let found = try calibration.record(bound: bound, source: source)
                return ("\(name)@\(version)", found, isLinear)
            }
            if isLinear {
                ExitStatus.write(
                    "note: it has no hidden layer, and a few outputs are scored faster in float32")
            }
            if json { return try JSONText.print(found) }
            print(
                "\(name) in \(found.precision.rawValue): largest difference "
                    + "\(Self.text(found.maximumError)), mean \(Self.text(found.meanError)), on "
                    + "\(found.rows) rows; \(Self.text(found.goldenError)) on the golden rows; "
                    + "bound \(Self.text(found.bound))")
            if let missing = found.precision.unavailability {
                ExitStatus.write("note: here it is scored in float32 all the same: \(missing)")
            }
        }

        private static func text(_ error: Double) -> String { "\(Float(error))" }
    }
}
