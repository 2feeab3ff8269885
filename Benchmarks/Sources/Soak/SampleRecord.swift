internal import Foundation
internal import LogFigures

/// The samples of a run, in a file as they come.
struct SampleRecord {
    /// A column of the file, and how it is judged.
    private struct Column: Sendable {
        /// How much more than in the second third of a run the last third may have at the middle.
        struct Allowance: Sendable {
            /// As a part of it.
            var part: Double
            /// And by itself, in the column's unit.
            var more: Double
        }

        let name: String
        let value: @Sendable (Sample) -> Double
        var allowance: Allowance?
        var isLatency = false
    }

    private static func mebibytes(_ bytes: Int) -> Double { Double(bytes) / 1_048_576 }

    private static let columns = [
        Column(name: "seconds", value: \.seconds),
        Column(name: "rows", value: { Double($0.rows) }),
        Column(
            name: "resident MiB", value: { mebibytes($0.process.resident) },
            allowance: .init(part: 0.1, more: 16)),
        Column(
            name: "anonymous MiB", value: { mebibytes($0.process.memory.anonymous) },
            allowance: .init(part: 0.05, more: 2)),
        Column(
            name: "private dirty MiB", value: { mebibytes($0.process.memory.dirty) },
            allowance: .init(part: 0.05, more: 4)),
        Column(
            name: "private clean MiB", value: { mebibytes($0.process.memory.clean) },
            allowance: .init(part: 0.1, more: 16)),
        Column(
            name: "descriptors", value: { Double($0.process.descriptors) },
            allowance: .init(part: 0, more: 2)),
        Column(
            name: "mappings", value: { Double($0.process.mappings) },
            allowance: .init(part: 0.05, more: 4)),
        Column(
            name: "threads", value: { Double($0.process.threads) },
            allowance: .init(part: 0, more: 1)),
        Column(
            name: "scoring lag rows", value: { Double($0.scoringLag) },
            allowance: .init(part: 0.5, more: Workload.rowsPerSecond / 2)),
        Column(
            name: "training lag rows", value: { Double($0.trainingLag) },
            allowance: .init(part: 0.5, more: Workload.rowsPerSecond)),
        Column(
            name: "p50 ms", value: \.p50, allowance: .init(part: 0.2, more: 0.2), isLatency: true),
        Column(
            name: "p99 ms", value: \.p99, allowance: .init(part: 0.5, more: 2), isLatency: true),
        Column(name: "versions", value: { Double($0.versions) }),
        Column(
            name: "log MiB", value: { mebibytes($0.logBytes) },
            allowance: .init(part: 0.1, more: 1)),
        Column(
            name: "files MiB", value: { mebibytes($0.fileBytes) },
            allowance: .init(part: 0.1, more: 4)),
    ]

    /// Private memory that is never to be reached, MiB.
    private static let memoryLimit = 128.0

    private let path: String
    private var samples: [Sample] = []

    init(path: String) { self.path = path }

    /// Takes note of a sample, and writes all of them anew.
    mutating func add(_ sample: Sample) throws {
        samples.append(sample)
        let head = Self.columns.map(\.name).joined(separator: ",")
        let lines = samples.map { sample in
            Self.columns.map { decimal($0.value(sample)) }.joined(separator: ",")
        }
        try Data(([head] + lines).joined(separator: "\n").appending("\n").utf8)
            .write(to: URL(filePath: path))
    }

    /// Prints the thirds of the run; whether the last is as the second.
    func judge(judgingLatency: Bool) -> Bool {
        print("\n| | First third | Second third | Last third | At most | |")
        print("| --- | --- | --- | --- | --- | --- |")
        let third = samples.count / 3
        let thirds = [
            samples.prefix(third), samples.dropFirst(third).dropLast(third),
            samples.suffix(third),
        ]
        var isFlat = true
        for column in Self.columns {
            guard let allowance = column.allowance else { continue }
            let spreads = thirds.map { Spread($0.map(column.value).filter(\.isFinite)) }
            let most = spreads[1].median * (1 + allowance.part) + allowance.more
            let isJudged = judgingLatency || !column.isLatency
            let holds = spreads[2].median <= most
            if isJudged, !holds { isFlat = false }
            let verdict = isJudged ? (holds ? "flat" : "**grows**") : "not judged"
            print(
                "| \(column.name) | \(spreads[0]) | \(spreads[1]) | \(spreads[2]) "
                    + "| \(decimal(most)) | \(verdict) |")
        }
        let memory = samples.map { Self.mebibytes($0.process.memory.dirty) }.max() ?? .nan
        let isSmall = memory < Self.memoryLimit
        print(
            "\n- Private and dirty at most: \(decimal(memory)) MiB, asked < "
                + "\(decimal(Self.memoryLimit)): \(isSmall ? "met" : "**missed**")")
        print("- Versions that made predictions: \(samples.last?.versions ?? 0)")
        return isFlat && isSmall
    }
}
