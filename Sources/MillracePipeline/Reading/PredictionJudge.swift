internal import MillraceModels

/// Collects predictions of labelled rows and says how good they were.
struct PredictionJudge {
    /// Above this many rows the AUC is computed from bins, so that memory stays bounded.
    static let maxExactRows = 1 << 22
    static let bins = 20

    private let objective: Kind
    private var classification: ClassificationMetrics?
    private var regression = RegressionMetrics()
    private(set) var scores: [Float] = []
    private(set) var positives: [Bool] = []
    private(set) var confusion: [[Int]] = []
    /// By probability bin: rows, sum of probabilities, positives.
    private(set) var calibration = [(rows: Int, sum: Double, positives: Int)](
        repeating: (0, 0, 0), count: Self.bins)
    private var rows = 0

    enum Kind: Equatable {
        case binary
        case classes(Int)
        case number
    }

    init(_ kind: Kind) {
        objective = kind
        switch kind {
        case .binary:
            classification = ClassificationMetrics(classes: 2)
            confusion = [[Int]](repeating: [0, 0], count: 2)
        case .classes(let count):
            classification = ClassificationMetrics(classes: count)
            confusion = [[Int]](repeating: [Int](repeating: 0, count: count), count: count)
        case .number: break
        }
    }

    /// Adds a row; one whose label is no class is left out.
    mutating func add(_ outputs: Span<Float>, label: Float) {
        guard outputs.indices.allSatisfy({ outputs[$0].isFinite }) else { return }
        switch objective {
        case .number:
            regression.add(predicted: Double(outputs[0]), actual: Double(label))
        case .binary:
            let positive = label == 1
            classification?.add(probability: outputs[0], positive: positive)
            confusion[positive ? 1 : 0][outputs[0] > 0.5 ? 1 : 0] += 1
            let bin = min(Self.bins - 1, max(0, Int(outputs[0] * Float(Self.bins))))
            calibration[bin].rows += 1
            calibration[bin].sum += Double(outputs[0])
            calibration[bin].positives += positive ? 1 : 0
            if scores.count < Self.maxExactRows {
                scores.append(outputs[0])
                positives.append(positive)
            }
        case .classes(let count):
            guard let actual = Int(exactly: label), (0..<count).contains(actual) else { return }
            classification?.add(probabilities: outputs, label: actual)
            var best = 0
            for index in 1..<count where outputs[index] > outputs[best] { best = index }
            confusion[actual][best] += 1
        }
        rows += 1
    }

    func quality(classes: [String]) -> PredictionQuality? {
        guard rows > 0 else { return nil }
        var quality = PredictionQuality(rows: rows)
        if let classification, classification.rows > 0 {
            quality.logLoss = classification.logLoss
            quality.accuracy = classification.accuracy
            quality.confusion = confusion
            quality.classes = classes.isEmpty ? confusion.indices.map(String.init) : classes
            if objective == .binary {
                quality.auc =
                    rows <= Self.maxExactRows
                    ? ExactAUC.compute(scores: scores, positives: positives)
                    : classification.auc
            }
        } else if objective == .number {
            quality.rmse = regression.rmse
        }
        return quality
    }

    /// False-positive and true-positive rates as the threshold falls, thinned to at most `count`.
    func roc(_ count: Int = 200) -> [(Double, Double)] {
        let order = scores.indices.sorted { scores[$0] > scores[$1] }
        let all = positives.count { $0 }
        let none = positives.count - all
        guard all > 0, none > 0 else { return [] }
        var points: [(Double, Double)] = [(0, 0)]
        var hits = 0
        var misses = 0
        let step = max(1, order.count / count)
        for (place, index) in order.enumerated() {
            if positives[index] { hits += 1 } else { misses += 1 }
            let isTie = place + 1 < order.count && scores[order[place + 1]] == scores[index]
            if !isTie, place % step == 0 || place == order.count - 1 {
                points.append((Double(misses) / Double(none), Double(hits) / Double(all)))
            }
        }
        if points.last.map({ $0 != (1, 1) }) ?? true { points.append((1, 1)) }
        return points
    }
}
