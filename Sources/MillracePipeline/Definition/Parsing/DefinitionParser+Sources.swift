internal import MillraceFeatures
internal import MillraceSystem

extension DefinitionParser {
    enum SourceKey: String, CaseIterable {
        case file, format, header, to, badRows, maxLineBytes
    }

    /// Limits of `maxLineBytes`: what a source may hold in memory for one line.
    private static let lineBytes = 64...(1 << 30)

    func source(_ value: YAMLValue) throws(PipelineError) -> SourceDefinition {
        let fields = try Fields<SourceKey>(value, of: "a source", decoder)
        let path = try fields.text(.file)
        return SourceDefinition(
            file: path, path: resolve(path),
            format: try fields.choice(
                .format, default: .csv, among: TextFormat.allCases),
            header: try header(fields), to: try fields.reference(.to),
            badRows: try fields.choice(
                .badRows, default: BadRowPolicy.skip, among: [.skip, .fail]),
            maxLineBytes: try fields.integer(
                .maxLineBytes, default: SourceDefinition.defaultMaxLineBytes,
                in: Self.lineBytes), position: value.position)
    }

    private func header(
        _ fields: Fields<SourceKey>
    ) throws(PipelineError) -> SourceDefinition.Header {
        guard let value = fields[.header] else { return .firstLine }
        if case .list = value.content {
            return .columns(try decoder.texts(value, "header", of: "column names"))
        }
        guard case .scalar("true", quoted: false) = value.content else {
            throw decoder.mismatch("header", "true or a list of column names", value)
        }
        return .firstLine
    }

    /// Relative paths start at the directory of the pipeline file.
    private func resolve(_ path: String) -> String {
        let directory = Files.parent(of: file)
        return path.hasPrefix("/") || directory == "." ? path : "\(directory)/\(path)"
    }
}
