internal import BenchmarkSupport
internal import CInferencePeers
internal import LogFigures
internal import MillraceModels

/// The same trainings by Millrace and by others, one after the other in each sample.
struct Comparison {
    private static let rows = 256 * 400

    private let rows: Rows
    private let peer: Peer
    private var samples: [[String: Double]] = []
    private var fastestPeak = 0.0
    private var dropped = 0

    /// Starts the peers and holds what is learnt against each other.
    init(directory: String, python: String, script: String) throws {
        let rows = try Rows(Self.rows)
        self.rows = rows
        try write(rows.features.span, to: "\(directory)/features.f32")
        try write(rows.digits.span, to: "\(directory)/labels.f32")
        let start = try Trainer(Work.mlp.options(scaler: false)).model()
        let weights = start.layers.flatMap { $0.weights + $0.bias }
        try write(weights.span, to: "\(directory)/start.f32")
        peer = try Peer(python: python, script: script, directory: directory)
        try compare()
    }

    /// SGD in the same order gives the same weights but for rounding; Adam, which divides by the size
    /// of gradients, the same loss.
    private func compare() throws {
        let own = try Work.logistic.train(rows, scaler: false).model.layers[0]
        for name in ["sklearn", "vw"] {
            let found = try peer.run(name).result
            for (x, y) in zip([own.bias[0]] + own.weights, found)
            where abs(Double(x) - y) > 1e-3 * max(1, abs(y)) {
                throw Peer.Failure("\(name): weights \(x) and \(y) differ")
            }
        }
        let loss = try Work.mlp.train(rows, scaler: false).loss
        let other = try peer.run("jax").result[0]
        guard abs(loss - other) < 0.05 * other + 1e-4 else {
            throw Peer.Failure("jax: losses \(loss) and \(other) differ")
        }
    }

    private mutating func sample() throws {
        let before = ip_fma_peak()
        var times: [String: Double] = [:]
        times["logistic"] = try Work.logistic.train(rows, scaler: false).time
        times["sklearn"] = try peer.run("sklearn").time
        times["logistic, scaler"] = try Work.logistic.train(rows, scaler: true).time
        times["vw"] = try peer.run("vw").time
        let between = ip_fma_peak()
        times["mlp"] = try Work.mlp.train(rows, scaler: false).time
        times["jax"] = try peer.run("jax").time
        times["mlp, scaler"] = try Work.mlp.train(rows, scaler: true).time
        let after = ip_fma_peak()
        fastestPeak = max(fastestPeak, before, between, after)
        guard min(before, between, after) * Disturbance.limit >= fastestPeak else {
            dropped += 1
            return
        }
        times["peak"] = max(between, after)
        samples.append(times)
    }

    mutating func run(samples count: Int) throws {
        for _ in 0..<3 * count where samples.count < count { try sample() }
        try peer.end()
        print("- Samples: \(samples.count) used, \(dropped) dropped\n")
        print(FigureTable.head)
        for (name, other, text, asked) in [
            ("logistic", "sklearn", "scikit-learn's `SGDClassifier.partial_fit`", 10.0),
            ("logistic, scaler", "sklearn", "the same, which has no scaler", 0),
            ("logistic", "vw", "Vowpal Wabbit from its cache", 20),
            ("logistic, scaler", "vw", "the same, which has no scaler", 0),
            ("mlp", "jax", "a jitted step of JAX", 1.6),
            ("mlp, scaler", "jax", "the same, which has no scaler", 0),
        ] { print(row(name, other, text, asked)) }
        let peaks = Spread(samples.map { $0["peak"] ?? .nan })
        for (name, asked) in [("mlp", Figure.Asked.atLeast(0.75)), ("mlp, scaler", .nothing)] {
            let parts = Spread(
                samples.map { Work.mlp.operationsPerRow / ($0[name] ?? .nan) / ($0["peak"] ?? 1) })
            print(
                FigureTable.line(
                    name, beside: "FMA peak of the same run", asked, parts, ours: rate(name),
                    other: "\(peaks) GFLOP/s", dropped: dropped, limit: Self.limit(of: name)))
        }
    }

    private func rate(_ name: String) -> String {
        "\(Spread(samples.map { 1000 / ($0[name] ?? .nan) })) M rows/s"
    }

    private func row(
        _ name: String, _ other: String, _ text: String, _ asked: Double
    ) -> String {
        let bound = samples.map {
            ($0[other] ?? .nan) / (Work.mlp.operationsPerRow / ($0["peak"] ?? .nan))
        }
        return FigureTable.line(
            name, beside: text, asked > 0 ? .atLeast(asked) : .nothing,
            Spread(samples.map { ($0[other] ?? .nan) / ($0[name] ?? .nan) }), ours: rate(name),
            other: rate(other), dropped: dropped, limit: Self.limit(of: name),
            bound: other == "jax" ? Spread(bound) : nil)
    }

    /// As TRAINING.md shows it.
    private static func limit(of name: String) -> String {
        name.hasPrefix("mlp")
            ? "multiplications, the narrow last layer, optimiser and losses"
            : "the operations on vectors: products, steps, moments and conditioning"
    }
}
