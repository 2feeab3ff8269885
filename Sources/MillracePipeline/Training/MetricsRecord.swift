internal import FoundationEssentials

/// What a trainer says of itself at one point of the stream: a row of its metrics topic, in JSON.
///
/// Every prediction that counts was made before the row was learnt from.
public struct MetricsRecord: Sendable, Codable, Equatable {
    /// Labelled rows learnt from so far.
    public var rows: Int
    /// Rows of the topic visited so far, over all passes, those without a label included.
    public var sourceRows: Int
    /// Rows left out so far because their label is none of the model's classes.
    public var rejectedRows = 0
    /// Pass over the topic, from 0.
    public var epoch: Int
    /// Steps of the optimiser so far.
    public var steps: Int
    /// Mean loss over the life (log-loss, or half the squared error).
    public var loss: Double
    /// Mean loss of the rows since the record before.
    public var windowLoss: Double
    /// Share of rows whose class was right, over the life.
    public var accuracy: Double?
    /// The same since the record before.
    public var windowAccuracy: Double?
    /// Area under the ROC curve over the life, for two classes.
    public var auc: Double?
    /// The same since the record before.
    public var windowAUC: Double?
    /// The version published at this point.
    public var version: Int?

    func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return Array(try encoder.encode(self))
    }

    init(json: Span<UInt8>) throws {
        let bytes = json.indices.map { json[$0] }
        self = try JSONDecoder().decode(Self.self, from: Data(bytes))
    }

    init(
        rows: Int, sourceRows: Int, epoch: Int, steps: Int, loss: Double, windowLoss: Double
    ) {
        self.rows = rows
        self.sourceRows = sourceRows
        self.epoch = epoch
        self.steps = steps
        self.loss = loss
        self.windowLoss = windowLoss
    }
}

/// Rows learnt from since the last record.
struct MetricsWindow {
    private(set) var rows = 0
    private var lossSum = 0.0
    private var correct = 0
    private(set) var scores: [Float] = []
    private(set) var positives: [Bool] = []

    var loss: Double { rows > 0 ? lossSum / Double(rows) : 0 }
    var accuracy: Double { rows > 0 ? Double(correct) / Double(rows) : 0 }

    mutating func add(rows count: Int, lossSum sum: Double, correct right: Int) {
        rows += count
        lossSum += sum
        correct += right
    }

    mutating func add(score: Float, positive: Bool) {
        scores.append(score)
        positives.append(positive)
    }
}
