internal import BenchmarkSupport
internal import CInferencePeers
internal import FoundationEssentials
internal import LogFigures
internal import MillraceCompute
internal import MillraceModels

/// Compares scoring with ONNX Runtime and OpenVINO on one core and prints the record's tables.
///
/// `Benchmarks/compare/inference` sets everything up and calls:
///
///     inference-record weights DIRECTORY
///     inference-record compare DIRECTORY ONNXRUNTIME.so OPENVINO_C.so [SAMPLES [KERNELS]]
///     inference-record latency [CALLS]
@main
enum InferenceRecord {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "weights" where arguments.count == 2:
            for network in Network.all { try network.writeWeights(to: arguments[1]) }
        case "compare" where arguments.count >= 4:
            let libraries = Libraries(
                models: arguments[1], onnxRuntime: arguments[2], openVINO: arguments[3])
            let samples = arguments.count > 4 ? Int(arguments[4]) ?? 21 : 21
            let kernels = try KernelSet.choose(arguments.count > 5 ? arguments[5] : "auto")
            try compare(libraries, samples: samples, kernels)
        case "latency":
            try latency(calls: arguments.count > 1 ? Int(arguments[1]) ?? 0 : 10_000_000)
        default: throw EngineFailure(description: "usage: see the head of InferenceRecord.swift")
        }
    }

    private static func compare(
        _ libraries: Libraries, samples: Int, _ kernels: KernelSet
    ) throws {
        print("- Machine: \(Machine.processor), \(Machine.cores) cores, \(Machine.kernel)")
        print("- Kernels \(kernels.rawValue); OpenBLAS \(OpenBLAS.prepare().core)")
        print("- Date: \(Date.now.ISO8601Format())")
        print("- Samples: \(samples) of each figure; medians, in brackets the middle half")
        print("- FMA peak: \(decimal(ip_fma_peak())) GFLOP/s on registers alone\n")
        print(Comparison.head)
        var goals: [String] = []
        for network in Network.all {
            let prepared = PreparedModel(try network.model(), kernels: kernels)
            for batch in network.batches {
                var comparison = try Comparison(network, batch, prepared, libraries)
                let rows = try comparison.rows(samples: samples)
                print(rows.line)
                goals += rows.goals
            }
        }
        print("\n" + FigureTable.head)
        for goal in goals { print(goal) }
    }

    private static func latency(calls: Int) throws {
        let network = Network.all[0]
        let prepared = PreparedModel(try network.model())
        let engine = OwnEngine(prepared, features: network.features(1), rows: 1)
        engine.run(100_000)
        let begin = ip_now()
        engine.run(100_000)
        let links = ip_spin_length(Double(ip_now() - begin) / 100_000)
        let (own, bare) = engine.latencies(calls, chain: links)
        print("| Calls | Kernels | Percentile 99.9 over median | A bare chain as long |")
        print("| --- | --- | --- | --- |")
        print(
            "| \(own.count) | \(prepared.kernels.rawValue) | \(decimal(Self.tail(own))) "
                + "| \(decimal(Self.tail(bare))) |")
    }

    /// Percentile 99.9 over the median.
    private static func tail(_ times: [UInt32]) -> Double {
        let ordered = times.sorted()
        return Double(ordered[ordered.count / 1000 * 999]) / Double(ordered[ordered.count / 2])
    }
}

/// Where the other engines and their models are.
struct Libraries {
    let models: String
    let onnxRuntime: String
    let openVINO: String
}
