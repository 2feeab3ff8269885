import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// A data directory, and the tool on it.
struct LogBench {
    /// A row as it is in the log.
    struct Row: Equatable {
        var partition: Int
        var offset: UInt64
        var value: [UInt8] = []
        var features: [Float] = []
        var label: Float?
        var key: String?
    }

    let directory: TemporaryDirectory

    var data: String { directory.file("data") }

    init() throws { directory = try TemporaryDirectory("millrace-bench") }

    /// Runs the tool on the data.
    func tool(_ arguments: [String]) throws -> ToolProcess.Outcome {
        try ToolProcess.run(arguments, environment: ["MILLRACE_DATA=\(data)"])
    }

    func create(_ arguments: String...) throws {
        let outcome = try tool(["topic", "create"] + arguments)
        try #require(outcome.code == 0, "\(outcome.errors)")
    }

    func produce(_ arguments: String...) throws -> ToolProcess.Outcome {
        try produce(arguments)
    }

    func produce(_ arguments: [String]) throws -> ToolProcess.Outcome {
        try tool(["produce"] + arguments)
    }

    /// Produces `text` from standard input.
    func pipe(_ text: String, _ arguments: String...) throws -> ToolProcess.Outcome {
        let file = try write("piped", text)
        return try shell("\"$0\" produce \"$@\" < '\(file)'", arguments)
    }

    /// Runs a shell command, in which `$0` is the tool.
    func shell(_ command: String, _ arguments: [String] = []) throws -> ToolProcess.Outcome {
        try ToolProcess(
            ["-c", "set -o pipefail; " + command, ToolProcess.executable] + arguments,
            program: "/bin/bash", environment: ["MILLRACE_DATA=\(data)"]
        ).outcome()
    }

    func consume(_ arguments: String...) throws -> String {
        let outcome = try tool(["consume"] + arguments)
        try #require(outcome.code == 0, "\(outcome.errors)")
        return outcome.output
    }

    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        try Files.writeDurably(directory.file(name), Array(bytes))
        return directory.file(name)
    }

    func write(_ name: String, _ text: String, compressed: Bool = false) throws -> String {
        try write(name, compressed ? frame(Array(text.utf8)) : Array(text.utf8))
    }

    func topic(_ name: String) throws -> Topic {
        try DataDirectory(data, create: false).topic(name)
    }

    /// All rows, read by the library, partition by partition.
    func rows(_ name: String) throws -> [Row] {
        let topic = try topic(name)
        var rows: [Row] = []
        for partition in 0..<topic.partitions {
            var reader = try topic.reader(partition: partition)
            while let batch = try reader.next() {
                for index in 0..<batch.rows { rows.append(Row(batch, index, partition)) }
            }
        }
        return rows
    }
}

extension LogBench.Row {
    init(_ batch: borrowing RecordBatch, _ index: Int, _ partition: Int) {
        self.init(partition: partition, offset: batch.baseOffset + UInt64(index))
        if let key = batch.key(index) {
            self.key = String(decoding: key.indices.map { key[$0] }, as: UTF8.self)
        }
        if batch.columns == 0 {
            let value = batch.value(index)
            self.value = value.indices.map { value[$0] }
        } else {
            features = [Float](repeating: 0, count: batch.columns)
            var target = features.mutableSpan
            batch.widen(rows: index..<index + 1, into: &target)
        }
        if batch.hasLabels { label = batch.labels[index] }
    }
}
