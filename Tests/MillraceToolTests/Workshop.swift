import MillraceSystem
import MillraceTestSupport
import Testing

/// A small pipeline with a file to read, in a directory of its own.
struct Workshop {
    let directory: TemporaryDirectory

    var data: String { directory.file("data") }
    var pipeline: String { directory.file("pipeline.yaml") }

    /// The parts of the pipeline file that tests replace.
    struct Parts {
        var source = ""
        var label = "{column: y, greaterThan: 0, missing: reject}"
        var features = "[{column: a}, {column: b, scale: standard, impute: mean}]"
        var prepare = ""
        var train = ""
        var partitions = 1
    }

    static let header = "a,b,y"
    /// Lines that are in order.
    static let rows = (0..<60).map { "\($0 % 7),\($0 * $0 % 11),\($0 % 2)" }

    init(lines: [String] = rows, _ parts: Parts = Parts()) throws {
        directory = try TemporaryDirectory("millrace-workshop")
        try write(lines)
        try write(parts)
    }

    func write(_ lines: [String]) throws {
        try write("rows.csv", Array(([Self.header] + lines).map { $0 + "\n" }.joined().utf8))
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        try Files.writeDurably(directory.file(name), bytes)
    }

    func write(_ parts: Parts) throws {
        let text = """
            topics:
              raw: {bytes: true, partitions: \(parts.partitions)}
              rows: {features: prepare, label: true, partitions: \(parts.partitions)}
              scores: {predictions: true, partitions: \(parts.partitions)}
            sources:
              - {file: rows.csv, to: raw\(parts.source)}
            stages:
              prepare:
                kind: preprocess
                from: raw
                to: rows
                label: \(parts.label)
                features: \(parts.features)
            \(parts.prepare)
              learn: {kind: train, from: rows, model: m, logistic: {}, batch: 16\(parts.train)}
              predict: {kind: score, from: rows, to: scores, model: m, after: learn}
            """
        try write("pipeline.yaml", Array(text.utf8))
    }

    /// Runs the pipeline in a process of its own.
    func run(_ more: [String] = []) throws -> ToolProcess.Outcome {
        try ToolProcess.run(["run", pipeline, "--data", data] + more)
    }

    /// The files below the data directory and what they hold; nil where there is no directory.
    func content(below path: String = "") throws -> [String: [UInt8]]? {
        guard Files.exists(data + path) else { return nil }
        var files: [String: [UInt8]] = [:]
        try collect(data + path, into: &files)
        return files
    }

    private func collect(_ path: String, into files: inout [String: [UInt8]]) throws {
        guard Files.isDirectory(path) else {
            files[path] = try Files.read(path, maxBytes: 1 << 30)
            return
        }
        files[path + "/"] = []
        for name in try Files.list(path) { try collect(path + "/" + name, into: &files) }
    }
}

extension ToolProcess.Outcome {
    /// Expects one clear error: this exit code, one or two lines that say this, and no output.
    func expectError(
        _ code: Int32, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(self.code == code, "\(errors)", sourceLocation: sourceLocation)
        #expect(output == "", sourceLocation: sourceLocation)
        #expect((1...2).contains(errorLines.count), "\(errors)", sourceLocation: sourceLocation)
        #expect(errors.hasPrefix("millrace: error: "), "\(errors)", sourceLocation: sourceLocation)
        for part in parts {
            #expect(errors.contains(part), "\(part)", sourceLocation: sourceLocation)
        }
    }
}
