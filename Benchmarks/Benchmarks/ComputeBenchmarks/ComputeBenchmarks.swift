internal import Benchmark
internal import BenchmarkSupport
internal import MillraceCompute
internal import MillraceModels

/// Scoring digits with an MLP 64-128-64-10 on one thread.
///
/// Rows are in the cache, softmax is included, and every kernel set that this processor has takes its
/// turn. The name of a benchmark tells the kernels, and for OpenBLAS the core type that it runs.
let benchmarks: @Sendable () -> Void = {
    let openBLAS = OpenBLAS.prepare()
    let configuration = Benchmark.Configuration(
        metrics: [.wallClock, Rate.rows.metric, Rate.operations.metric],
        warmupIterations: 3, maxDuration: .seconds(2), maxIterations: 200)

    for batch in [1, 64, 1024] {
        for kernels in KernelSet.available {
            let name = kernels == .blas ? "blas \(openBLAS.core)" : kernels.rawValue
            Benchmark(
                "MLP 64-128-64-10, batch \(batch), \(name)", configuration: configuration
            ) { benchmark in
                var scoring = try Scoring(widths: [64, 128, 64, 10], kernels: kernels)
                let calls = max(1, 16_384 / batch)
                scoring.run(batch: batch, calls: calls)
                let clock = ContinuousClock()
                benchmark.startMeasurement()
                let duration = clock.measure { scoring.run(batch: batch, calls: calls) }
                benchmark.stopMeasurement()
                guard scoring.outputIsSound(batch: batch) else {
                    return benchmark.error("probabilities do not add up to one")
                }
                Rate.rows.record(calls * batch, in: duration, to: benchmark)
                Rate.operations.record(
                    calls * batch * scoring.operationsPerRow, in: duration, to: benchmark)
            }
        }
    }
}

/// A model with weights from a seed, and what it takes to score digits with it.
private struct Scoring: ~Copyable {
    private static let maxRows = 1024

    /// Multiplications and additions in the layers, for one row.
    let operationsPerRow: Int

    private let model: PreparedModel
    private var workspace: ScoringWorkspace
    private let features: [Float]
    private var output: [Float]

    init(widths: [Int], kernels: KernelSet) throws {
        var random = SplitMix64(seed: 1)
        let layers = randomLayers(widths, using: &random)
        let description = try Model(
            input: InputStage(
                impute: Array(repeating: 0, count: widths[0]),
                mean: Array(repeating: 8, count: widths[0]),
                limit: Array(repeating: 32, count: widths[0]),
                scale: Array(repeating: 0.25, count: widths[0])),
            layers: layers, activation: .relu, head: .softmax)
        let digits = try Digits(rows: Self.maxRows)
        model = PreparedModel(description, kernels: kernels)
        workspace = ScoringWorkspace(for: model)
        features = digits.features
        output = Array(repeating: 0, count: Self.maxRows * model.outputWidth)
        operationsPerRow = zip(widths, widths.dropFirst()).reduce(0) { $0 + 2 * $1.0 * $1.1 }
    }

    /// Scores `calls` batches, one after another through the rows.
    mutating func run(batch: Int, calls: Int) {
        let batches = Self.maxRows / batch
        for call in 0..<calls {
            Self.score(
                model, features, from: call % batches * batch, rows: batch, into: &output,
                workspace: &workspace)
        }
    }

    private static func score(
        _ model: PreparedModel, _ features: [Float], from first: Int, rows: Int,
        into output: inout [Float], workspace: inout ScoringWorkspace
    ) {
        let width = model.inputWidth
        let batch = features.span.extracting(first * width..<(first + rows) * width)
        var target = output.mutableSpan
        model.predict(batch, rows: rows, stride: width, into: &target, workspace: &workspace)
    }

    /// Whether the last batch's probabilities add up to one in each row.
    func outputIsSound(batch: Int) -> Bool {
        (0..<batch).allSatisfy { row in
            let width = model.outputWidth
            return abs(output[row * width..<(row + 1) * width].reduce(0, +) - 1) < 1e-4
        }
    }
}
