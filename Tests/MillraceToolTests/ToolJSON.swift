import FoundationEssentials
import Millrace

extension RunSummary {
    /// The summary that `run --json` printed.
    init(json: String) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(json.utf8))
    }
}

extension StageSummary {
    /// Leaves out what depends on when and where the stage ran, and numbers its versions from 1:
    /// a number that a killed process had taken is not given again.
    mutating func forgetTimesAndVersions() {
        activeSeconds = 0
        activeRows = 0
        rowsPerSecond = 0
        rowsPerSecondPerCore = 0
        cores = []
        let rows = modelVersions.sorted { $0.key < $1.key }.map(\.value)
        modelVersions = [:]
        for (index, count) in rows.enumerated() { modelVersions[index + 1] = count }
        if training?.version != nil { training?.version = 0 }
        if lastMetrics?.version != nil { lastMetrics?.version = 0 }
    }
}

/// Any JSON, for tests that look at names and not at types.
enum JSONValue: Decodable, Equatable {
    case object([String: JSONValue])
    case array([JSONValue])
    case text(String)
    case number(Double)
    case truth(Bool)
    case null

    init(_ text: String) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .truth(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    /// The names of an object's members; empty for anything else.
    var names: Set<String> {
        if case .object(let members) = self { Set(members.keys) } else { [] }
    }

    /// A member of an object.
    subscript(_ name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    /// The elements of an array; empty for anything else.
    var elements: [JSONValue] {
        if case .array(let values) = self { values } else { [] }
    }

    /// The number, where it is one.
    var number: Double? {
        if case .number(let value) = self { value } else { nil }
    }
}
