internal import BenchmarkSupport
internal import CBareMetal
internal import CInferencePeers
internal import LogFigures
internal import Millrace

/// The same jobs by Millrace, by others, and by their parts alone, one after the other in each sample.
struct Comparison {

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
        try write(digits.features.span, to: "\(peers)/features.f32")
        for network in networks { try network.writeWeights(to: peers) }
    }

    /// Starts the peers and holds their predictions against ours.
    mutating func start(python: String, script: String) throws {
        guard let peers else { return }
        let peer = try Peer(python: python, script: script, directory: peers)
        self.peer = peer
        for job in jobs {
            _ = try peer.run("check " + job.name)
            try job.hold(against: readFloats("\(peers)/outputs.f32"), core: core)
        }
    }

    mutating func run(samples count: Int) throws {
        guard bare_pin(Int32(core)) == 0 else { throw Peer.Failure("core \(core) is not there") }
        print("- \(Job.rows) rows of the shipped digits, one core")
        var lines: [String] = []
        for job in jobs { lines += try measure(job, samples: count) }
        print("\n" + FigureTable.head)
        for line in lines { print(line) }
        try peer?.end()
    }

    /// A job's lines of the table.
    private func measure(_ job: Job, samples count: Int) throws -> [String] {
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
            guard min(before, after) * Disturbance.limit >= fastest else {
                dropped += 1
                continue
            }
            samples.append(Sample(own: own, other: other, alike: alike, parts: parts))
        }
        return Sample.lines(job, samples, dropped: dropped, besideOthers: peer != nil)
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

    static func lines(
        _ job: Job, _ samples: [Sample], dropped: Int, besideOthers: Bool
    ) -> [String] {
        func rate(_ time: (Sample) -> Double) -> String {
            let spread = Spread(samples.map { 1000 / time($0) })
            return spread.median.isFinite ? "\(spread) M rows/s" : "-"
        }
        let binding = limit(samples)
        func line(
            _ beside: String, _ asked: Figure.Asked, isPeer: Bool = false,
            _ time: (Sample) -> Double
        ) -> String {
            FigureTable.line(
                job.name, beside: beside, asked, Spread(samples.map { time($0) / $0.own }),
                ours: rate(\.own), other: rate(time), dropped: dropped, limit: binding,
                bound: isPeer ? Spread(samples.map { time($0) / $0.parts.total }) : nil)
        }
        var lines: [String] = []
        if besideOthers {
            lines.append(
                line(
                    "Arrow with float32, ONNX Runtime", .atLeast(job.asked), isPeer: true, \.other))
            if job.form != .float32 {
                lines.append(
                    line(
                        "Arrow with \(job.form.rawValue), ONNX Runtime", .nothing, isPeer: true,
                        \.alike))
            }
        }
        return lines + [
            line("its parts in series", .atLeast(0.85), \.parts.total),
            line("the same, and the mapping of what is read", .nothing) {
                $0.parts.total + $0.parts.mapping
            },
        ]
    }

    /// What part of a run each part takes by the barest means, the largest first.
    private static func limit(_ samples: [Sample]) -> String {
        guard !samples.isEmpty else { return "-" }
        let parts: [(String, (Limits.Parts) -> Double)] = [
            ("decoding", \.decoding), ("checksums", \.checksum),
            ("arithmetic at its peak, or reading", \.arithmetic), ("writing", \.writing),
            ("mapping", \.mapping),
        ]
        let shares = parts.map { name, value in
            (name, Spread(samples.map { value($0.parts) / $0.own }).median)
        }
        return shares.sorted { $0.1 > $1.1 }.map { "\($0.0) \(decimal($0.1))" }
            .joined(separator: ", ")
    }
}
