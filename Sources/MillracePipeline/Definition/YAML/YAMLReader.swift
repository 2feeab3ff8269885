internal import Yams

/// Turns the text of a pipeline file into values with positions.
///
/// The only file that knows the YAML library. Documents are bounded: aliases are followed, but a
/// text that unfolds to more than `maxValues` values or nests deeper than `maxDepth` is refused.
struct YAMLReader {
    static let maxValues = 100_000
    static let maxDepth = 32

    let file: String
    private var values = 0

    init(file: String) {
        self.file = file
    }

    /// Reads the single document in `text`; null where the text holds none.
    mutating func read(_ text: String) throws(PipelineError) -> YAMLValue {
        let start = SourcePosition(line: 1, column: 1)
        guard !text.utf8.isEmpty else { return YAMLValue(content: .null, position: start) }
        let root: Node?
        do {
            root = try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
        } catch let error as YamlError {
            throw syntaxError(error)
        } catch {
            throw PipelineError(.usage, "not a YAML document: \(error)", file: file)
        }
        guard let root else { return YAMLValue(content: .null, position: start) }
        return try convert(root, depth: 0)
    }

    private mutating func convert(
        _ node: Node, depth: Int
    ) throws(PipelineError) -> YAMLValue {
        let position = position(of: node.mark)
        values += 1
        guard values <= Self.maxValues else {
            throw PipelineError(
                .usage, "the file unfolds to more than \(Self.maxValues) values",
                advice: "Remove aliases (*name) that repeat each other.", file: file,
                position: position)
        }
        guard depth < Self.maxDepth else {
            throw PipelineError(
                .usage, "values are nested more than \(Self.maxDepth) deep", file: file,
                position: position)
        }
        switch node {
        case .scalar(let scalar):
            return YAMLValue(content: content(of: scalar), position: position)
        case .sequence(let sequence):
            var list: [YAMLValue] = []
            for element in sequence {
                list.append(try convert(element, depth: depth + 1))
            }
            return YAMLValue(content: .list(list), position: position)
        case .mapping(let mapping):
            var entries: [YAMLValue.Entry] = []
            for (key, value) in mapping {
                entries.append(try entry(key, value, depth: depth))
            }
            return YAMLValue(content: .map(entries), position: position)
        case .alias(let alias):
            throw PipelineError(
                .usage, "unresolved alias \(quote(alias.anchor.rawValue))", file: file,
                position: position)
        }
    }

    private mutating func entry(
        _ key: Node, _ value: Node, depth: Int
    ) throws(PipelineError) -> YAMLValue.Entry {
        let keyPosition = position(of: key.mark)
        guard case .scalar(let scalar) = key else {
            throw PipelineError(
                .usage, "a key must be text, not a list or mapping", file: file,
                position: keyPosition)
        }
        let converted = try convert(value, depth: depth + 1)
        return YAMLValue.Entry(key: scalar.string, keyPosition: keyPosition, value: converted)
    }

    private func content(of scalar: Node.Scalar) -> YAMLValue.Content {
        let quoted = scalar.style != .plain && scalar.style != .any
        switch scalar.string {
        case "" where !quoted, "~" where !quoted, "null" where !quoted: return .null
        default: return .scalar(scalar.string, quoted: quoted)
        }
    }

    private func position(of mark: Mark?) -> SourcePosition {
        SourcePosition(line: mark?.line ?? 1, column: mark?.column ?? 1)
    }

    private func syntaxError(_ error: YamlError) -> PipelineError {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return PipelineError(
                .usage, "not valid YAML: \(problem)", file: file, position: position(of: mark))
        case .duplicatedKeysInMapping(let keys, let context):
            let key = keys.first ?? ""
            return PipelineError(
                .usage, "key \(quote(key)) is given more than once in the mapping",
                advice: "Keep one of them; this is the first.", file: file,
                position: position(of: context.mark))
        case .reader(let problem, _, _, _):
            return PipelineError(.usage, "not valid YAML: \(problem)", file: file)
        default:
            return PipelineError(.usage, "not valid YAML: \(error)", file: file)
        }
    }
}
