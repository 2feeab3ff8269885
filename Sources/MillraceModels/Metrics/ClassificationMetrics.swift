internal import Glibc
internal import MillraceCompute

/// How good predicted probabilities are: log-loss, accuracy, and for two classes AUC.
///
/// Rows are counted one by one and nothing of them is kept, so it serves streams of any length.
/// **AUC** comes from counts in 2^14 equal bins of the log odds between -16 and 16. Rows of the same
/// bin count as ties, so it is off by at most `aucErrorBound`.
public struct ClassificationMetrics: Sendable, Equatable {
    /// How many classes there are.
    public let classes: Int
    /// How many rows were counted.
    public internal(set) var rows = 0
    var lossSum = 0.0
    var correct = 0
    var positives: [UInt64]
    var negatives: [UInt64]

    static let binCount = 1 << 14
    private static let range = 16.0

    /// The log odds in the middle of a bin.
    static func logOdds(ofBin bin: Int) -> Double {
        (Double(bin) + 0.5) / Double(binCount) * 2 * range - range
    }

    /// Nothing counted yet, of `classes` classes.
    public init(classes: Int = 2) {
        precondition(classes >= 2, "there are at least two classes")
        self.classes = classes
        positives = [UInt64](repeating: 0, count: classes == 2 ? Self.binCount : 0)
        negatives = positives
    }

    /// Counts a row by the probability of the positive class.
    ///
    /// A probability of exactly 0 or 1 that is wrong costs what the nearest float32 would: about 103
    /// and 17.
    public mutating func add(probability: Float, positive: Bool) {
        let p = Double(probability)
        let likelihood =
            positive ? max(p, Double(Float.leastNonzeroMagnitude)) : max(1 - p, 0x1p-25)
        let odds = p >= 1 ? .infinity : log(p) - log1p(-p)
        count(loss: -log(likelihood), logOdds: odds, positive: positive)
    }

    /// Counts a row by the log odds of the positive class, which have no limits to their precision.
    public mutating func add(logOdds: Double, positive: Bool) {
        let margin = positive ? logOdds : -logOdds
        count(
            loss: max(-margin, 0) + log1p(exp(-abs(margin))), logOdds: logOdds, positive: positive)
    }

    private mutating func count(loss: Double, logOdds: Double, positive: Bool) {
        precondition(classes == 2, "one probability tells only two classes apart")
        rows += 1
        lossSum += loss
        if (logOdds > 0) == positive { correct += 1 }
        place(logOdds: logOdds, positive: positive)
    }

    /// Counts rows in their bins.
    mutating func place(logOdds: [Float], labels: Span<Float>, rows: Int) {
        RowLosses.countOdds(
            logOdds, labels: labels, rows: rows, range: Self.range, positives: &positives,
            negatives: &negatives)
    }

    /// Counts a row in its bin.
    mutating func place(logOdds: Double, positive: Bool) {
        let last = Double(Self.binCount - 1)
        let place = (logOdds + Self.range) / (2 * Self.range) * Double(Self.binCount)
        let bin = place >= 0 ? Int(min(place, last)) : 0
        if positive { positives[bin] += 1 } else { negatives[bin] += 1 }
    }

    /// Counts a row by the probabilities of all classes.
    public mutating func add(probabilities: Span<Float>, label: Int) {
        precondition(
            probabilities.count == classes && label >= 0 && label < classes,
            "a probability for each class, and a class as label")
        guard classes > 2 else {
            return add(probability: probabilities[1], positive: label == 1)
        }
        var best = 0
        for i in 1..<classes where probabilities[i] > probabilities[best] { best = i }
        let likelihood = max(Double(probabilities[label]), Double(Float.leastNonzeroMagnitude))
        rows += 1
        lossSum -= log(likelihood)
        if best == label { correct += 1 }
    }

    /// Counts what another one has counted.
    public mutating func merge(_ other: ClassificationMetrics) {
        precondition(classes == other.classes, "metrics of the same classes")
        rows += other.rows
        lossSum += other.lossSum
        correct += other.correct
        for bin in positives.indices {
            positives[bin] += other.positives[bin]
            negatives[bin] += other.negatives[bin]
        }
    }

    /// The mean of minus the logarithm of the probability given to what happened; NaN without rows.
    public var logLoss: Double { lossSum / Double(rows) }

    /// The share of rows whose most probable class was right; NaN without rows.
    public var accuracy: Double { Double(correct) / Double(rows) }

    /// The probability that a positive has a higher score than a negative.
    ///
    /// Nil when there are more than two classes, or rows of only one.
    /// - Complexity: O(bins).
    public var auc: Double? {
        pairs.map { ($0.won + $0.tied / 2) / $0.all }
    }

    /// How far `auc` can be from that of all scores at once; nil where `auc` is.
    public var aucErrorBound: Double? { pairs.map { $0.tied / 2 / $0.all } }

    private var pairs: (won: Double, tied: Double, all: Double)? {
        var won = 0.0
        var tied = 0.0
        var below = 0.0
        var above = 0.0
        let (positives, negatives) = (positives.span, negatives.span)
        precondition(positives.count == negatives.count)
        for bin in positives.indices {
            // A signed number is made a double by one instruction.
            let hits = Double(Int64(bitPattern: positives[bin]))
            let misses = Double(Int64(bitPattern: negatives[bin]))
            won += hits * below
            tied += hits * misses
            below += misses
            above += hits
        }
        return above > 0 && below > 0 ? (won, tied, above * below) : nil
    }
}

extension ClassificationMetrics: Codable {
    private enum CodingKeys: String, CodingKey { case classes, rows, lossSum, correct, bins }

    /// Bins that counted something, as bin, positives, negatives and so on.
    var filledBins: [UInt64] {
        positives.indices.filter { positives[$0] + negatives[$0] > 0 }
            .flatMap { [UInt64($0), positives[$0], negatives[$0]] }
    }

    /// False, and nothing changed, when the bins are not those of two classes.
    mutating func fill(_ bins: [UInt64]) -> Bool {
        guard bins.count % 3 == 0 else { return false }
        var total = UInt64(0)
        for i in stride(from: 0, to: bins.count, by: 3) {
            guard bins[i] < UInt64(positives.count), max(bins[i + 1], bins[i + 2]) < 1 << 60 else {
                return false
            }
            total += bins[i + 1] + bins[i + 2]
            guard total < 1 << 62 else { return false }
        }
        for i in stride(from: 0, to: bins.count, by: 3) {
            positives[Int(bins[i])] = bins[i + 1]
            negatives[Int(bins[i])] = bins[i + 2]
        }
        return true
    }

    /// Writes the counts; of the bins, those that counted something.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(classes, forKey: .classes)
        try container.encode(rows, forKey: .rows)
        try container.encode(lossSum, forKey: .lossSum)
        try container.encode(correct, forKey: .correct)
        try container.encode(filledBins, forKey: .bins)
    }

    /// Reads what `encode` has written.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let classes = try container.decode(Int.self, forKey: .classes)
        guard classes >= 2 else {
            throw DecodingError.dataCorruptedError(
                forKey: .classes, in: container, debugDescription: "\(classes) classes")
        }
        self.init(classes: classes)
        rows = try container.decode(Int.self, forKey: .rows)
        lossSum = try container.decode(Double.self, forKey: .lossSum)
        correct = try container.decode(Int.self, forKey: .correct)
        guard fill(try container.decode([UInt64].self, forKey: .bins)) else {
            throw DecodingError.dataCorruptedError(
                forKey: .bins, in: container, debugDescription: "bins that cannot be")
        }
    }
}
