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
///     inference-record bfloat16 DIRECTORY OPENVINO_C.so
///     inference-record latency [CALLS]
///
/// `bfloat16` tries whether OpenVINO computes in it here, where it may die of an instruction that the
/// processor lacks; `compare` takes it in where MILLRACE_OPENVINO_BFLOAT16 is 1.
@main
enum InferenceRecord {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "weights" where arguments.count == 2:
            for network in Network.all { try network.writeWeights(to: arguments[1]) }
        case "compare" where arguments.count >= 4:
            let libraries = Libraries(
                models: arguments[1], onnxRuntime: arguments[2], openVINO: arguments[3],
                runsBFloat16: ProcessInfo.processInfo
                    .environment["MILLRACE_OPENVINO_BFLOAT16"] == "1")
            let samples = arguments.count > 4 ? Int(arguments[4]) ?? 21 : 21
            let kernels = try KernelSet.choose(arguments.count > 5 ? arguments[5] : "auto")
            try compare(libraries, samples: samples, kernels)
        case "bfloat16" where arguments.count == 3: try tryBFloat16(arguments[1], arguments[2])
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
        var (goals, lines, errors): ([String], [String], [String]) = ([], [], [])
        var head = ""
        for network in Network.all {
            let prepared = PreparedModel(try network.model(), kernels: kernels)
            let reduced = try ReducedModel.all(network)
            head = Comparison.reducedHead(reduced, libraries)
            errors += reduced.map(\.line)
            for batch in network.batches {
                var comparison = try Comparison(network, batch, prepared, reduced, libraries)
                let rows = try comparison.rows(samples: samples)
                print(rows.line)
                lines.append(rows.reduced)
                goals += rows.goals
            }
        }
        print("\n" + FigureTable.head)
        for goal in goals { print(goal) }
        guard !errors.isEmpty else { return }
        print("\n" + head)
        for line in lines { print(line) }
        print("\n" + ReducedModel.head)
        for line in errors { print(line) }
    }

    private static func tryBFloat16(_ models: String, _ openVINO: String) throws {
        let network = Network.all[0]
        let features = network.features(64)
        let outputs = network.widths[network.widths.count - 1]
        let file = "\(models)/\(network.stem)-64.onnx"
        let engine = try unsafe PeerEngine(features: features, outputs: 64 * outputs) { x, y in
            unsafe ip_open_openvino(
                openVINO, "bf16", file, 64, network.widths[0], outputs, x, y)
        }
        try engine.run(10)
        // One that went on in float32 would have its bits.
        let exact = PreparedModel(try network.model()).predict(features)
        guard zip(engine.output, exact).contains(where: { abs($0 - $1) > 1e-4 }) else {
            throw EngineFailure(description: "OpenVINO stays in float32")
        }
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
    /// Whether OpenVINO is to be compared in bfloat16 too.
    let runsBFloat16: Bool
}
