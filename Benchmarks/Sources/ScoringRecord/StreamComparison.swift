internal import BenchmarkSupport
internal import CBareMetal
internal import CInferencePeers
internal import LogFigures
internal import Millrace

/// Scoring a topic beside clients of servers that keep streams, and ONNX Runtime.
///
/// Float32 features, as in `Comparison`. The others are slower, and have fewer rows: times are those
/// of one row.
struct StreamComparison {
    /// What is compared: our job, the peer's, and what it is.
    private struct Pair {
        let job: Job
        let peer: String
        let text: String
        let asked: Figure.Asked
    }

    private let core = Machine.cores - 1
    private let pairs: [Pair]
    private let peer: Peer

    /// Starts the peers, and holds their predictions against ours.
    init(directory: String, python: String, script: String) throws {
        let digits = try Digits(rows: Job.batch * 7)
        let networks = Network.all.filter { $0.widths[0] == Digits.columns }
        try write(digits.features.span, to: "\(directory)/features.f32")
        for network in networks { try network.writeWeights(to: directory) }
        let jobs = try networks.map { try Job($0, .float32, digits: digits) }
        pairs = [
            Pair(
                job: jobs[0], peer: "kafka mlp row",
                text: "Kafka client and ONNX Runtime, a row a message", asked: .atLeast(20)),
            Pair(
                job: jobs[0], peer: "kafka mlp block", text: "the same, 256 rows a message",
                asked: .nothing),
            Pair(
                job: jobs[1], peer: "kafka linear row",
                text: "Kafka client and ONNX Runtime, a row a message", asked: .atLeast(20)),
            Pair(
                job: jobs[0], peer: "redis mlp row",
                text: "Redis stream's group and ONNX Runtime, a row an entry", asked: .nothing),
            Pair(
                job: jobs[0], peer: "redis mlp block", text: "the same, 256 rows an entry",
                asked: .nothing),
        ]
        peer = try Peer(python: python, script: script, directory: directory)
        for pair in pairs {
            _ = try peer.run("check " + pair.peer)
            try pair.job.hold(against: readFloats("\(directory)/outputs.f32"), core: core)
        }
    }

    func run(samples count: Int) throws {
        guard bare_pin(Int32(core)) == 0 else { throw Peer.Failure("core \(core) is not there") }
        print("- \(Job.rows) rows of the shipped digits, one core; the servers on another one")
        var lines: [String] = []
        for pair in pairs { lines.append(try measure(pair, samples: count)) }
        try peer.end()
        print("\n" + FigureTable.head)
        for line in lines { print(line) }
    }

    /// A line of the table.
    private func measure(_ pair: Pair, samples count: Int) throws -> String {
        var samples: [(own: Double, other: Double)] = []
        var fastest = 0.0
        var dropped = 0
        for _ in 0..<2 * count where samples.count < count {
            let before = ip_fma_peak()
            let own = try pair.job.score(core: core)
            let other = try peer.run("score " + pair.peer).time
            let after = ip_fma_peak()
            fastest = max(fastest, before, after)
            guard min(before, after) * Disturbance.limit >= fastest else {
                dropped += 1
                continue
            }
            samples.append((own, other))
        }
        return FigureTable.line(
            pair.job.name, beside: pair.text, pair.asked,
            Spread(samples.map { $0.other / $0.own }),
            ours: "\(Spread(samples.map { 1000 / $0.own })) M rows/s",
            other: "\(Spread(samples.map { 1000 / $0.other })) M rows/s", dropped: dropped,
            limit: "ours: as beside Arrow")
    }
}
