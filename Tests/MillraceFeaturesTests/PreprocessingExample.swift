import MillraceFeatures

// The example of the page Preprocessing.md, as it stands there; `PreprocessingPageTests` runs it.

/// The features of each line of JSON, by a specification that is fitted to all of them.
func encodeAll(_ lines: [[UInt8]]) throws -> [[Float]] {
    let definition = PreprocessDefinition(features: [
        FeatureDefinition(column: "price", encoding: .number(NumberEncoding(log1p: true))),
        FeatureDefinition(column: "country", encoding: .oneHot(.auto(limit: 2))),
    ])
    var fitter = try SpecificationFitter(
        definition: definition, schema: RowSchema(.jsonl, columns: ["price", "country"]))
    for line in lines where fitter.needsRows { fitter.observe(line.span) }
    let specification = try fitter.freeze()
    var encoder = RowEncoder(specification)  // one for each thread
    var rows: [[Float]] = []
    for line in lines {
        var row = [Float](repeating: 0, count: encoder.width)
        var target = row.mutableSpan
        switch encoder.encode(line.span, offset: 0, into: &target) {
        case .encoded: rows.append(row)
        case .rejected(let reason, let column):
            print(specification.explain(reason, column: column, line: line.span))
        }
    }
    return rows
}
