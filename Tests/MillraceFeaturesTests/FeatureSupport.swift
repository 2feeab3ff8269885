import MillraceFeatures
import MillraceInput
import MillraceTestSupport

/// A row as an encoder left it, compared by its bits.
struct Encoded: Equatable {
    var outcome: String
    var bits: [UInt32]

    init(_ outcome: RowOutcome, _ row: [Float]) {
        // NaN differs from itself; its text does not.
        self.outcome = "\(outcome)"
        if case .encoded = outcome { bits = row.map(\.bitPattern) } else { bits = [] }
    }
}

func encode(
    _ encoder: inout RowEncoder, _ line: [UInt8], offset: UInt64 = 0
) -> (outcome: RowOutcome, row: [Float]) {
    var row = [Float](repeating: -123, count: encoder.width)
    var span = row.mutableSpan
    let outcome = encoder.encode(line.span, offset: offset, into: &span)
    return (outcome, row)
}

func encode(
    _ specification: FeatureSpecification, _ line: String, offset: UInt64 = 0
) -> (outcome: RowOutcome, row: [Float]) {
    var encoder = RowEncoder(specification)
    return encode(&encoder, Array(line.utf8), offset: offset)
}

/// The features of a row that must be encodable; NaN becomes -999.
func features(_ specification: FeatureSpecification, _ line: String) -> [Float]? {
    let (outcome, row) = encode(specification, line)
    guard case .encoded = outcome else { return nil }
    return row.map { $0.isNaN ? -999 : $0 }
}

/// Fits `definition` to lines of which the first is the header.
func fit(_ definition: PreprocessDefinition, _ lines: [String]) throws -> FeatureSpecification {
    let header = try CSVHeader(line: Array(lines[0].utf8).span, path: "test.csv")
    var fitter = try SpecificationFitter(
        definition: definition, schema: RowSchema(columns: header.names))
    for line in lines.dropFirst() { fitter.observe(Array(line.utf8).span) }
    let width = fitter.width
    let specification = try fitter.freeze()
    precondition(specification.width == width)
    return specification
}

/// The flights of 2013, and what the shipped pipeline makes of them.
enum Flights {
    static let definition = PreprocessDefinition(
        features: [
            FeatureDefinition(
                column: "dep_delay",
                encoding: .number(NumberEncoding(scale: .standard, impute: .mean))),
            FeatureDefinition(
                column: "sched_dep_time",
                encoding: .number(NumberEncoding(format: .hhmm, scale: .standard))),
            FeatureDefinition(
                column: "sched_arr_time",
                encoding: .number(NumberEncoding(format: .hhmm, period: 1440))),
            FeatureDefinition(
                column: "distance",
                encoding: .number(NumberEncoding(scale: .standard, impute: .constant(0)))),
            FeatureDefinition(column: "carrier", encoding: .oneHot(.auto(limit: 12))),
            FeatureDefinition(column: "origin", encoding: .oneHot(.listed(["JFK", "LGA"]))),
            FeatureDefinition(column: "dest", encoding: .hash(buckets: 64)),
            FeatureDefinition(column: "day", encoding: .bucketize(.auto(count: 4))),
            FeatureDefinition(
                column: "month", encoding: .bucketize(.listed([4, 7, 10]))),
        ],
        label: LabelRule(column: "arr_delay", rule: .test(.greaterThan(15))),
        routes: [.column("month", [.atMost(10)]), nil])

    /// Header and rows.
    static let lines: [[UInt8]] = {
        do {
            return try readLines(SharedData.flights, blockBytes: 1 << 20).map(\.text)
        } catch {
            fatalError("\(error)")
        }
    }()

    private static let fitted = Result { () throws -> FeatureSpecification in
        let first = lines[0]
        let header = try CSVHeader(line: first.span, path: SharedData.flights)
        var fitter = try SpecificationFitter(
            definition: definition, schema: RowSchema(columns: header.names))
        for line in lines.dropFirst() where fitter.needsRows { fitter.observe(line.span) }
        return try fitter.freeze()
    }

    static func specification() throws -> FeatureSpecification { try fitted.get() }
}
