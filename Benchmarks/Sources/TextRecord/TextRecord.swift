internal import BenchmarkSupport
internal import FoundationEssentials
internal import LogFigures

/// Measures text on its way to features and prints the record's table.
///
///     text-record csv [SAMPLES]        from lines of CSV in memory to features in a block of memory
///     text-record produce [SAMPLES]    `produce` beside its parts, one after the other
@main
enum TextRecord {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let samples = arguments.count > 1 ? Int(arguments[1]) ?? 15 : 15
        print("- Machine: \(Machine.processor), \(Machine.cores) cores, \(Machine.kernel)")
        print("- \(Machine.kernels)")
        print("- Date: \(Date.now.ISO8601Format())")
        print("- Medians of \(samples) samples, in brackets the middle half")
        switch arguments.first {
        case "csv": try CSVFigures.print(samples: samples)
        case "produce": try ProduceFigures.print(samples: samples)
        default: print("usage: see the head of TextRecord.swift")
        }
    }
}
