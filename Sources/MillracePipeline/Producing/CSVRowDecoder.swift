internal import MillraceFeatures
internal import MillraceInput

/// Lines of a CSV file.
///
/// Rows of features are read by the kernels of preprocessing, for which each column is a number. A row
/// that those do not take, and the keys, are read field by field.
final class CSVRowDecoder: RowDecoder {
    /// The columns that are features, in the order of the file; empty for rows of bytes.
    private let features: [Int]
    private let key: Int?
    private let label: Int?
    private let names: [String]
    private var fields = CSVFields()
    /// Nil for rows of bytes, and for names that no specification may have.
    private var encoder: RowEncoder?

    /// A file of one column of features may leave its field empty.
    var takesEmptyLines: Bool { names.count == 1 && !features.isEmpty }

    /// Finds the columns by name; all that are neither key nor label are features.
    ///
    /// - Throws: `PipelineError` with `usage` for a column that is not there, and `badData` where
    ///   there are more or fewer features than the topic has.
    init(
        _ header: CSVHeader, path: String, options: ProduceOptions, width: Int, hasLabels: Bool
    ) throws(PipelineError) {
        names = header.names
        func position(_ name: String, _ what: String) throws(PipelineError) -> Int {
            if let position = header.index(of: name) { return position }
            throw PipelineError(
                .usage,
                "there is no column '\(name)' for the \(what)"
                    + NearestName.hint(name, among: header.names),
                file: path, position: SourcePosition(line: 1, column: 1))
        }
        key = if let name = options.key { try position(name, "key") } else { nil }
        if let name = options.label {
            label = try position(name, "label")
        } else {
            label = hasLabels ? header.index(of: "label") : nil
        }
        let taken = [key, label].compactMap(\.self)
        features = width == 0 ? [] : header.names.indices.filter { !taken.contains($0) }
        encoder = Self.encoder(header.names, features, label: label)
        guard features.count == width else {
            throw PipelineError(
                .badData,
                "\(features.count) columns of features, where the topic has \(width)",
                advice: taken.isEmpty ? "--key and --label say which columns are none." : nil,
                file: path, position: SourcePosition(line: 1, column: 1))
        }
    }

    private static func encoder(
        _ names: [String], _ features: [Int], label: Int?
    ) -> RowEncoder? {
        guard !features.isEmpty else { return nil }
        do throws(FeatureError) {
            return RowEncoder(
                try FeatureSpecification(
                    schema: RowSchema(columns: names),
                    features: features.map {
                        FrozenFeature(column: names[$0], encoding: .number(NumberEncoding()))
                    }, label: label.map { LabelRule(column: names[$0], rule: .value) }))
        } catch { return nil }
    }

    func decode(_ text: Span<UInt8>, into row: inout DecodedRow) throws(RowFault) {
        let isEncoded = encode(text, into: &row)
        if isEncoded, key == nil { return }
        do throws(CSVFault) { try fields.split(text) } catch {
            let before = fields.count == 0 ? 0 : fields[fields.count - 1].range.upperBound + 1
            throw RowFault(
                before + 1,
                error == .unclosedQuote
                    ? "a quoted field that does not end on its line" : "text after a closing quote")
        }
        guard fields.count == names.count else {
            throw RowFault(
                text.count + 1, "\(fields.count) fields, where there are \(names.count) columns")
        }
        // Read once: each look at a property of a class is checked to be the only one.
        let fields = fields
        if !isEncoded {
            try take(text, fields, &row.features)
            if let label, !features.isEmpty { row.label = try number(text, fields[label], label) }
        }
        if let key {
            row.hasKey = !fields[key].range.isEmpty
            fields[key].append(from: text, to: &row.key)
        }
    }

    /// Reads all numbers of a row at once; false where they are not all plain numbers, or nothing is
    /// asked for but text.
    private func encode(_ text: Span<UInt8>, into row: inout DecodedRow) -> Bool {
        var target = row.features.mutableSpan
        guard case .encoded(let label, _)? = encoder?.encode(text, offset: 0, into: &target) else {
            return false
        }
        row.label = label
        return true
    }

    private func take(
        _ text: Span<UInt8>, _ fields: CSVFields, _ numbers: inout [Float]
    ) throws(RowFault) {
        var target = numbers.mutableSpan
        for index in features.indices {
            let column = features[index]
            target[index] = try number(text, fields[column], column)
        }
    }

    private func number(
        _ text: Span<UInt8>, _ field: CSVField, _ column: Int
    ) throws(RowFault) -> Float {
        let range = field.range
        if range.isEmpty { return .nan }
        let shown = text.extracting(range)
        if let value = NumberParser.float(shown) ?? SpecialNumber.value(shown) { return value }
        throw RowFault(
            range.lowerBound + 1,
            "'\(ShownText.of(shown))' in column '\(names[column])' is not a number")
    }
}

/// Text of a file as an error shows it.
enum ShownText {
    private static let longest = 40

    static func of(_ bytes: Span<UInt8>) -> String {
        let shown = bytes.extracting(first: min(bytes.count, longest))
        let text = String(decoding: shown.indices.map { shown[$0] }, as: UTF8.self)
        return text + (bytes.count > longest ? "…" : "")
    }
}
