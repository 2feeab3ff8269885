internal import BenchmarkSupport
internal import CBareMetal
internal import CInferencePeers
internal import LogFigures
internal import Millrace

/// The same jobs by Millrace, by others, and by their parts alone, one after the other in each sample.
struct Comparison {
    /// A run of one core's multipliers that is slower than this part of the best marks a disturbed
    /// sample.
    private static let disturbance = 1.15

    private let core = Machine.cores - 1
    private let directory: WorkDirectory
    private let jobs: [Job]
    private let digits: Digits
    private var peer: Peer?
    /// Where the peers look for features and weights.
    private let peers: String?

    /// Writes the topics, and for the peers in `peers` the features and weights.
    ///
    /// Only those jobs whose names begin with `name`.
    init(directory peers: String?, _ name: String) throws {
        self.peers = peers
        directory = try WorkDirectory()
        let digits = try Digits(rows: Job.batch * 7)
        self.digits = digits
        let networks = Network.all.filter { $0.widths[0] == Digits.columns }
        jobs = try networks.flatMap { network in
            try Job.Form.allCases.filter { Job.name(network, $0).hasPrefix(name) }.map {
                try Job(network, $0, digits: digits)
            }
        }
        guard let peers else { return }
        try write(digits.features, to: "\(peers)/features.f32")
        for network in networks { try network.writeWeights(to: peers) }
    }

    /// Starts the peers and holds their predictions against ours.
    mutating func start(python: String, script: String) throws {
        guard let peers else { return }
        let peer = try Peer(python: python, script: script, directory: peers)
        self.peer = peer
        for job in jobs {
            _ = try peer.run("check " + job.name)
            let expected = try readFloats("\(peers)/outputs.f32")
            let width = job.network.widths.last ?? 1
            _ = try job.score(core: core) { first, outputs in
                for index in outputs.indices {
                    let (own, other) = (
                        outputs[index], expected[(first * width + index) % expected.count]
                    )
                    guard abs(own - other) <= 1e-5 * max(1, abs(other)) else {
                        throw Peer.Failure("\(job.name): predictions \(own) and \(other) differ")
                    }
                }
            }
        }
    }

    mutating func run(samples count: Int) throws {
        guard bare_pin(Int32(core)) == 0 else { throw Peer.Failure("core \(core) is not there") }
        print("- \(Job.rows) rows of the shipped digits, one core")
        var lines: [String] = []
        for job in jobs { lines.append(try measure(job, samples: count)) }
        print("\n" + Sample.head)
        for line in lines { print(line) }
        try peer?.end()
    }

    /// A job's lines of the tables.
    private func measure(_ job: Job, samples count: Int) throws -> String {
        let limits = try Limits(job, digits: digits)
        let file = directory.path + "/bare"
        var samples: [Sample] = []
        var fastest = 0.0
        var dropped = 0
        // The first run maps the files.
        _ = try job.score(core: core)
        for _ in 0..<2 * count where samples.count < count {
            let before = ip_fma_peak()
            let other = try peer?.run("score " + job.name(.float32)).time ?? .nan
            let alike =
                job.form == .float32 ? other : try peer?.run("score " + job.name).time ?? .nan
            let own = try job.score(core: core)
            let parts = try limits.measure(path: file)
            let after = ip_fma_peak()
            fastest = max(fastest, before, after)
            guard min(before, after) * Self.disturbance >= fastest else {
                dropped += 1
                continue
            }
            samples.append(Sample(own: own, other: other, alike: alike, parts: parts))
        }
        return Sample.line(job, samples, dropped: dropped)
    }
}

/// Nanoseconds a row of each side, taken one after the other.
private struct Sample {
    let own: Double
    /// Arrow with float32, and ONNX Runtime.
    let other: Double
    /// The same with the job's own form.
    let alike: Double
    let parts: Limits.Parts

    static let head = """
        | Scoring | Ours | Arrow float32 and ONNX Runtime | Asked | Ratio | Arrow in the same form | Ratio \
        | Parts in series / ours, asked >= 0.85 | Decoding | Checksums | Arithmetic | Writing | Dropped |
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
        """

    static func line(_ job: Job, _ samples: [Sample], dropped: Int) -> String {
        func spread(_ value: (Sample) -> Double) -> Spread { Spread(samples.map(value)) }
        func rate(_ time: (Sample) -> Double) -> String {
            "\(spread { 1000 / time($0) }) M rows/s"
        }
        let columns: [String] = [
            job.name, rate(\.own), rate(\.other), ">= \(decimal(job.asked))",
            "\(spread { $0.other / $0.own })", rate(\.alike), "\(spread { $0.alike / $0.own })",
            "\(spread { $0.parts.total / $0.own })", "\(spread(\.parts.decoding)) ns",
            "\(spread(\.parts.checksum)) ns", "\(spread(\.parts.arithmetic)) ns",
            "\(spread(\.parts.writing)) ns", "\(dropped)",
        ]
        return "| " + columns.joined(separator: " | ") + " |"
    }
}
