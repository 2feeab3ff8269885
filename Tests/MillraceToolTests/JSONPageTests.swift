import MillraceSystem
import MillraceTestSupport
import Testing

/// The page on output for programs names every member that the tool prints.
@Suite struct JSONPageTests {
    /// Members whose own members are names of users and numbers.
    private static let open: Set<String> = ["drops", "modelVersions", "aliases"]
    /// What another page describes: the manifest of a model.
    private static let manifests: Set<String> = [
        "architecture", "features", "formatVersion", "golden", "labels", "publication", "weights",
    ]

    /// The names of all members, those of members too.
    private func names(in value: JSONValue) -> Set<String> {
        switch value {
        case .object(let members):
            members.reduce(into: Set(members.keys)) { names, member in
                let isElsewhere =
                    Self.open.contains(member.key) || Self.manifests.contains(member.key)
                if !isElsewhere { names.formUnion(self.names(in: member.value)) }
            }
        case .array(let elements):
            elements.reduce(into: []) { $0.formUnion(names(in: $1)) }
        default: []
        }
    }

    /// What stands in back quotes on the page.
    private static func named() throws -> Set<String> {
        let path = SharedData.root + "/Sources/Millrace/Millrace.docc/JSONOutput.md"
        let text = String(decoding: try Files.read(path, maxBytes: 1 << 20), as: UTF8.self)
        let parts = text.split(separator: "`", omittingEmptySubsequences: false)
        return Set(parts.indices.filter { $0 % 2 == 1 }.map { String(parts[$0]) })
    }

    @Test func everyMemberIsOnThePage() throws {
        let workshop = try Workshop(lines: Workshop.rows + ["1,2,1", "x,2,1"])
        let data = ["MILLRACE_DATA=\(workshop.data)"]
        let named = try Self.named()
        func check(_ command: [String]) throws {
            let outcome = try ToolProcess.run(command, environment: data)
            #expect(outcome.code == 0, "\(command): \(outcome.errors)")
            // Rows are a document each.
            let isLines = command[0] == "consume" || command[1] == "predict"
            let lines = outcome.output.split(separator: "\n").map(String.init)
            for text in isLines ? lines : [outcome.output] {
                let unnamed = names(in: try JSONValue(text)).subtracting(named)
                    .subtracting(Self.manifests)
                #expect(unnamed.isEmpty, "\(command.joined(separator: " ")): \(unnamed.sorted())")
            }
        }
        try check(["run", workshop.pipeline, "--json"])
        for topic in ["raw", "rows", "scores"] { try check(["consume", topic, "--max", "2"]) }
        try check(["topic", "create", "made", "--bytes", "--retention-hours", "1", "--json"])
        try check(["topic", "list", "--json"])
        try check(["topic", "describe", "rows", "--json"])
        try check(["topic", "verify", "rows", "--json"])
        let salvage = workshop.directory.file("salvaged")
        try check(["topic", "verify", "rows", "--salvage", salvage, "--json"])
        let lines = workshop.directory.file("lines.txt")
        try Files.writeDurably(lines, Array("a\nb\n".utf8))
        try check(["produce", "made", "--from", lines, "--json"])
        try check(["group", "list", "--json"])
        try check(["group", "describe", "learn", "--json"])
        try check(["top", "--interval", "0.05", "--json"])
        try check(["model", "list", "--json"])
        try check(["model", "show", "m", "--json"])
        try check(["model", "verify", "m", "--json"])
        let rows = workshop.directory.file("readable.csv")
        let readable = ([Workshop.header] + Workshop.rows).map { $0 + "\n" }.joined()
        try Files.writeDurably(rows, Array(readable.utf8))
        try check(["model", "predict", "m", "--from", rows, "--json"])
        try check(["model", "quantize", "m", "--precision", "bf16", "--from", rows, "--json"])
        try check(["model", "show", "m", "--json"])
        try check(["model", "promote", "m@1", "--json"])
        try check(["model", "prune", "m", "--keep", "1", "--json"])
        try check(["doctor", "--json"])
        // Break it: a page that names nothing is found out.
        #expect(!names(in: try JSONValue("{\"unheard\":[{\"of\":1}]}")).isSubset(of: named))
    }
}
