internal import BenchmarkSupport

/// Two ways to do the same work, each timed in turn.
///
/// Both return how much they did in a second, or how long they took, in the figure's unit.
protocol Contest {
    func ours() throws -> Double
    func bare() throws -> Double
}

/// A figure of the log: a ratio to the same work done by barer means, taken within one run.
public struct Figure: Sendable {
    /// What the ratio must be.
    public enum Asked: Sendable, CustomStringConvertible {
        case atLeast(Double)
        case below(Double)
        /// Shown beside the others.
        case nothing

        /// Such as `>= 0.90`.
        public var description: String {
            switch self {
            case .atLeast(let ratio): ">= \(decimal(ratio))"
            case .below(let ratio): "< \(decimal(ratio))"
            case .nothing: "-"
            }
        }

        /// Whether `ratio` is as asked; nil when nothing is.
        public func isMet(by ratio: Double) -> Bool? {
            switch self {
            case .atLeast(let least): ratio >= least
            case .below(let most): ratio < most
            case .nothing: nil
            }
        }

        /// A ratio with what its median is beside what was asked, such as `0.95 [0.94-0.96] met`.
        public func judge(_ ratio: Spread) -> String {
            guard ratio.median.isFinite else { return "\(ratio)" }
            return switch isMet(by: ratio.median) {
            case true?: "\(ratio) met"
            case false?: "\(ratio) **missed**"
            case nil: "\(ratio)"
            }
        }
    }

    /// What is measured.
    public let name: String
    /// What it is compared with.
    public let bare: String
    /// Unit of the two values, such as `GB/s`.
    public let unit: String
    /// What the ratio must be.
    public let asked: Asked
    /// What keeps the figure from being better.
    public let limit: String
    let contest: @Sendable () throws -> any Contest

    /// Every figure, in the order of the record.
    public static var all: [Figure] {
        AppendContest.figures + ScanContest.figures + PeerContest.figures + LatencyContest.figures
    }
}

/// One pair of values of a figure.
public struct Sample: Sendable {
    /// The log's value.
    public let ours: Double
    /// The value of what it is compared with.
    public let bare: Double
    /// `ours` over `bare`.
    public var ratio: Double { ours / bare }
}

/// Takes samples of one figure, on one pinned core.
public final class FigureRun {

    private let contest: any Contest
    private var samples = 0
    private var fastest = Int64.max
    /// Samples that were taken while the processor was slow, and dropped.
    public private(set) var dropped = 0

    /// Makes what the figure needs, such as a topic to scan.
    public init(_ figure: Figure, core: Int = 0) throws {
        try Bare.pin(to: core)
        contest = try figure.contest()
        for _ in 0..<20 { fastest = min(fastest, Bare.probe()) }
    }

    /// Takes both values, the first of them in turn; nil when the processor was slow meanwhile.
    public func sample() throws -> Sample? {
        samples += 1
        let before = Bare.probe()
        let sample: Sample
        if samples.isMultiple(of: 2) {
            let ours = try contest.ours()
            sample = Sample(ours: ours, bare: try contest.bare())
        } else {
            let bare = try contest.bare()
            sample = Sample(ours: try contest.ours(), bare: bare)
        }
        let slowest = max(before, Bare.probe())
        fastest = min(fastest, before, slowest)
        guard Double(slowest) <= Double(fastest) * Disturbance.limit else {
            dropped += 1
            return nil
        }
        return sample
    }
}

/// `value` with two digits behind the point; `-` for what is no number.
public func decimal(_ value: Double) -> String {
    guard value.isFinite else { return "-" }
    let hundredths = Int((value * 100).rounded())
    let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
    return "\(hundredths < 0 ? "-" : "")\(whole).\(rest < 10 ? "0" : "")\(rest)"
}
