internal import FoundationEssentials
internal import LogFigures

/// Measures what models cost besides scoring.
///
///     model-record swap [SAMPLES [CORE]]   scoring while versions change beside scoring in peace
///     model-record load [SAMPLES]          loading and preparing a version
@main
enum ModelRecord {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let samples = arguments.dropFirst().first.flatMap { Int($0) } ?? 15
        print("- Machine: \(Machine.processor), \(Machine.cores) cores, \(Machine.kernel)")
        print("- \(Machine.kernels)")
        print("- Date: \(Date.now.ISO8601Format())")
        print("- Medians, in brackets the middle half")
        switch arguments.first {
        case "swap":
            let core = arguments.dropFirst(2).first.flatMap { Int($0) } ?? Machine.cores - 1
            try SwapFigures.run(samples: samples, core: core)
        case "load": try LoadFigures.run(samples: samples)
        default: print("usage: see the head of ModelRecord.swift")
        }
    }
}
