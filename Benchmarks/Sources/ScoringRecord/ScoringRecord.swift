internal import FoundationEssentials
internal import LogFigures

/// Measures what this software is for, a topic of features scored into a topic of predictions, and
/// prints the record's tables.
///
///     scoring-record compare DIRECTORY PYTHON SCRIPT [SAMPLES]    see compare/scoring
///     scoring-record streams DIRECTORY PYTHON SCRIPT [SAMPLES]    see compare/streams
///     scoring-record alone [SAMPLES [NAME]]   beside its own limits, without others; jobs whose
///                                          name begins so
///     scoring-record latency [ROUNDS]      from an append to its prediction in another thread
@main
enum ScoringRecord {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        print("- Machine: \(Machine.processor), \(Machine.cores) cores, \(Machine.kernel)")
        print("- \(Machine.kernels); files on \(try Machine.fileSystem())")
        print("- Date: \(Date.now.ISO8601Format())")
        print("- Medians, in brackets the middle half")
        func number(_ place: Int, or usual: Int) -> Int {
            arguments.count > place ? Int(arguments[place]) ?? usual : usual
        }
        switch arguments.first {
        case "compare" where arguments.count >= 4:
            var comparison = try Comparison(directory: arguments[1], "")
            try comparison.start(python: arguments[2], script: arguments[3])
            try comparison.run(samples: number(4, or: 11))
        case "streams" where arguments.count >= 4:
            let comparison = try StreamComparison(
                directory: arguments[1], python: arguments[2], script: arguments[3])
            try comparison.run(samples: number(4, or: 11))
        case "alone":
            var comparison = try Comparison(
                directory: nil, arguments.count > 2 ? arguments[2] : "")
            try comparison.run(samples: number(1, or: 11))
        case "latency": try Latency.run(rounds: number(1, or: 200_000))
        default: print("usage: see the head of ScoringRecord.swift")
        }
    }
}
