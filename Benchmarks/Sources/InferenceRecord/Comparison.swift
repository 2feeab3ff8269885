internal import BenchmarkSupport
internal import CInferencePeers
internal import LogFigures
internal import MillraceModels

/// Three engines at the same work, one after the other in each sample.
struct Comparison {
    static let head = """
        | Network | Batch | Millrace | ONNX Runtime | OpenVINO | ONNX Runtime / Millrace \
        | OpenVINO / Millrace | Part of the FMA peak | Other limit | Dropped |
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
        """

    /// Nanoseconds that a measurement of one engine should take.
    private static let target = 3_000_000.0

    private let network: Network
    private let batch: Int
    /// Ours, the two peers, those of `reduced`, and OpenVINO in bfloat16 where it runs.
    private let engines: [any Engine]
    private let reduced: [ReducedModel]
    /// What a bare read reads.
    private let readable: AlignedFloats
    private var calls: [Int]
    private var fastestPeak = 0.0
    private var dropped = 0

    /// Opens the engines and holds their outputs against each other.
    init(
        _ network: Network, _ batch: Int, _ prepared: PreparedModel, _ reduced: [ReducedModel],
        _ libraries: Libraries
    ) throws {
        self.network = network
        self.batch = batch
        self.reduced = reduced
        let features = network.features(batch)
        let floats = max(features.count, network.weightBytes / 4)
        readable = AlignedFloats([Float](repeating: 1, count: floats))
        let (inputs, outputs) = (network.widths[0], prepared.outputWidth)
        let file = "\(libraries.models)/\(network.stem)-\(batch).onnx"
        func openVINO(_ precision: String) throws -> PeerEngine {
            try unsafe PeerEngine(features: features, outputs: batch * outputs) { x, y in
                unsafe ip_open_openvino(
                    libraries.openVINO, precision, file, batch, inputs, outputs, x, y)
            }
        }
        engines =
            [
                OwnEngine(prepared, features: features, rows: batch),
                try unsafe PeerEngine(features: features, outputs: batch * outputs) { x, y in
                    unsafe ip_open_onnxruntime(
                        libraries.onnxRuntime, file, batch, inputs, outputs, x, y)
                },
                try openVINO("f32"),
            ] + reduced.map { OwnEngine($0.prepared, features: features, rows: batch) }
            + (libraries.runsBFloat16 ? [try openVINO("bf16")] : [])
        calls = []
        for (index, engine) in engines.enumerated() {
            try engine.run(3)
            let tolerance: Float = index < 3 ? 1e-4 : 0.1
            for (x, y) in zip(engine.output, engines[0].output) where !(abs(x - y) < tolerance) {
                throw EngineFailure(description: "\(network.name): outputs \(x) and \(y) differ")
            }
            var count = 1
            while try Self.time(engine, count) < Self.target { count *= 2 }
            calls.append(count)
        }
    }

    /// Nanoseconds of `calls` calls.
    private static func time(_ engine: any Engine, _ calls: Int) throws -> Double {
        let begin = ip_now()
        try engine.run(calls)
        return Double(ip_now() - begin)
    }

    /// Nanoseconds of one call of each engine, and what the processor did at best beside them.
    private struct Sample {
        var times: [Double]
        var peak: Double
        var limit: Double
    }

    private mutating func sample() throws -> Sample? {
        let before = ip_fma_peak()
        var times: [Double] = []
        for (engine, count) in zip(engines, calls) {
            // Back in the caches after the engine before.
            try engine.run(max(1, count / 8))
            times.append(try Self.time(engine, count) / Double(count))
        }
        let limit = readLimit()
        let after = ip_fma_peak()
        fastestPeak = max(fastestPeak, before, after)
        guard min(before, after) * Disturbance.limit >= fastestPeak else {
            dropped += 1
            return nil
        }
        return Sample(times: times, peak: max(before, after), limit: limit)
    }

    /// Nanoseconds of a bare read of what one call must read: the weights for one row, the features
    /// for a linear model.
    private func readLimit() -> Double {
        let isLinear = network.widths.count == 2
        let bytes = isLinear ? batch * network.widths[0] * 4 : network.weightBytes
        guard isLinear || batch == 1 else { return .nan }
        let rate = unsafe ip_read_rate(
            readable.floats.baseAddress, bytes, max(2, 20_000_000 / bytes))
        return Double(bytes) / rate
    }

    /// Takes the samples: a line of the table, and one for each goal.
    mutating func rows(
        samples count: Int
    ) throws -> (line: String, reduced: String, goals: [String]) {
        var samples: [Sample] = []
        for _ in 0..<3 * count where samples.count < count {
            if let sample = try sample() { samples.append(sample) }
        }
        let goals = Goal.all.filter { $0.network == network.name && $0.batches.contains(batch) }
        return (line(samples), reducedLine(samples), goals.map { line(of: $0, samples) })
    }

    static func reducedHead(_ reduced: [ReducedModel], _ libraries: Libraries) -> String {
        let names = reduced.map(\.name)
        let peers = libraries.runsBFloat16 ? ["OpenVINO bfloat16"] : []
        var columns = ["Network", "Batch"] + names
        columns += names.map { "float32 / \($0)" }
        columns += names.map { "Better peer's float32 / \($0)" }
        if names.count == 2 { columns.append("\(names[0]) / \(names[1])") }
        columns += peers + peers.flatMap { peer in names.map { "\(peer) / \($0)" } }
        return "| \(columns.joined(separator: " | ")) |\n"
            + String(repeating: "| --- ", count: columns.count) + "|"
    }

    /// The reduced precisions beside float32, ours and the peers'.
    private func reducedLine(_ samples: [Sample]) -> String {
        let ours = reduced.indices.map { $0 + 3 }
        let others = (3 + reduced.count..<engines.count)
        var columns = [network.name, "\(batch)"]
        columns += ours.map { i in micros(samples) { $0.times[i] } }
        columns += ours.map { i in "\(Spread(samples.map { $0.times[0] / $0.times[i] }))" }
        columns += ours.map { i in
            "\(Spread(samples.map { min($0.times[1], $0.times[2]) / $0.times[i] }))"
        }
        if ours.count == 2 {
            columns.append("\(Spread(samples.map { $0.times[ours[0]] / $0.times[ours[1]] }))")
        }
        columns += others.map { i in micros(samples) { $0.times[i] } }
        columns += others.flatMap { other in
            ours.map { i in "\(Spread(samples.map { $0.times[other] / $0.times[i] }))" }
        }
        return "| \(columns.joined(separator: " | ")) |"
    }

    private func micros(_ samples: [Sample], _ time: (Sample) -> Double) -> String {
        "\(Spread(samples.map { time($0) / 1000 })) us"
    }

    /// Multiplications and additions of one call.
    private var operations: Double { network.operationsPerRow * Double(batch) }

    private func line(_ samples: [Sample]) -> String {
        func ratio(_ engine: Int) -> String {
            Spread(samples.map { $0.times[engine] / $0.times[0] }).description
        }
        let part = Spread(samples.map { operations / $0.times[0] / $0.peak })
        let read = Spread(samples.map { $0.limit / $0.times[0] })
        let limit = read.median.isFinite ? "\(read) of a bare read" : "-"
        let times = (0..<3).map { engine in micros(samples) { $0.times[engine] } }
        return "| \(network.name) | \(batch) | \(times[0]) | \(times[1]) | \(times[2]) "
            + "| \(ratio(1)) | \(ratio(2)) | \(part) | \(limit) | \(dropped) |"
    }

    private func line(of goal: Goal, _ samples: [Sample]) -> String {
        func other(_ sample: Sample) -> Double {
            switch goal.beside {
            case .runtime: sample.times[1]
            case .better: min(sample.times[1], sample.times[2])
            case .peak: operations / sample.peak
            case .read: sample.limit
            }
        }
        // The multiplications at the peak, or where it is slower a bare read.
        func least(_ sample: Sample) -> Double {
            let multiplying = operations / sample.peak
            return sample.limit > multiplying ? sample.limit : multiplying
        }
        let isBesidePeer = goal.beside == .runtime || goal.beside == .better
        let rows = batch == 1 ? "1 row" : "\(batch) rows"
        return FigureTable.line(
            "\(network.name), \(rows)", beside: goal.beside.rawValue, goal.asked,
            Spread(samples.map { other($0) / $0.times[0] }), ours: micros(samples) { $0.times[0] },
            other: micros(samples, other), dropped: dropped,
            limit: network.widths.count == 2
                ? "reading the rows" : "multiplications, packing of rows and weights",
            bound: isBesidePeer ? Spread(samples.map { other($0) / least($0) }) : nil)
    }
}
