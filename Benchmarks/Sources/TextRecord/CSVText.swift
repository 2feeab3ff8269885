internal import BenchmarkSupport
internal import Millrace
internal import MillraceInput

/// Rows of a shipped file as text in memory, and what the shipped pipeline makes of them.
struct CSVText {
    let name: String
    /// All lines but the header, each with its newline.
    let text: [UInt8]
    /// Where each line ends: its newline.
    let ends: [Int]
    let specification: FeatureSpecification

    static var all: [CSVText] {
        get throws {
            [
                try CSVText("flights", data: "flights.csv.lz4"),
                try CSVText("digits", data: "digits.csv", repeated: 20),
            ]
        }
    }

    /// The file `models/data/DATA` and the first preprocess stage of `models/NAME.yaml`.
    private init(_ name: String, data: String, repeated: Int = 1) throws {
        self.name = name
        let models = Digits.checkout + "/models"
        var reader = try LineReader(path: "\(models)/data/\(data)")
        guard try reader.next() != nil else { throw NoRows() }
        let header = try CSVHeader(line: reader.text, path: data)
        let pipeline = try PipelineDefinition.load("\(models)/\(name).yaml")
        let definition = try Self.definition(in: pipeline)
        var fitter = try SpecificationFitter(
            definition: definition, schema: RowSchema(columns: header.names))
        var text: [UInt8] = []
        var ends: [Int] = []
        while try reader.next() != nil {
            let line = reader.text
            fitter.observe(line)
            for index in line.indices { text.append(line[index]) }
            ends.append(text.count)
            text.append(UInt8(ascii: "\n"))
        }
        let bytes = text.count
        for round in 1..<repeated {
            text += text[..<bytes]
            ends += ends[..<(ends.count / round)].map { $0 + round * bytes }
        }
        self.text = text
        self.ends = ends
        specification = try fitter.freeze()
    }

    private static func definition(in pipeline: PipelineDefinition) throws -> PreprocessDefinition {
        for stage in pipeline.stages {
            if case .preprocess(let work) = stage.work { return work.definition }
        }
        throw NoRows()
    }

    struct NoRows: Error {}
}
