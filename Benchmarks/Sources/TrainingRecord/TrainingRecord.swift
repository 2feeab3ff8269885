internal import FoundationEssentials
internal import LogFigures

/// Measures training and prints the record's tables.
///
///     training-record compare DIRECTORY PYTHON SCRIPT [SAMPLES]    see compare/training
///     training-record memory [SAMPLES]     from memory alone, without others
///     training-record stream [SAMPLES]     from a topic beside from memory
///     training-record slots [SAMPLES]      two slots beside one
///     training-record checkpoint [SAMPLES] what a checkpoint stops
@main
enum TrainingRecord {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let core = Machine.cores - 1
        print("- Machine: \(Machine.processor), \(Machine.cores) cores, \(Machine.kernel)")
        print("- \(Machine.kernels)")
        print("- Date: \(Date.now.ISO8601Format())")
        print("- Medians, in brackets the middle half")
        func samples(_ place: Int) -> Int {
            arguments.count > place ? Int(arguments[place]) ?? 21 : 21
        }
        switch arguments.first {
        case "compare" where arguments.count >= 4:
            var comparison = try Comparison(
                directory: arguments[1], python: arguments[2], script: arguments[3])
            try comparison.run(samples: samples(4))
        case "memory": try memory(samples: samples(1))
        case "stream": try StreamFigures.stream(samples: samples(1), core: core)
        case "slots": try StreamFigures.slots(samples: samples(1))
        case "checkpoint": try StreamFigures.checkpoint(samples: samples(1), core: core)
        default: print("usage: see the head of TrainingRecord.swift")
        }
    }

    private static func memory(samples count: Int) throws {
        let rows = try Rows(Rows.batch * 400)
        for work in Work.allCases {
            for scaler in [false, true] {
                let times = try (0..<count).map { _ in
                    try work.train(rows, scaler: scaler).time
                }
                print("- \(work)\(scaler ? " with scaler" : ""): \(Spread(times)) ns a row")
            }
        }
    }
}
