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
    /// Root of the mean squared error over the life, for a regression.
    public var rmse: Double?
    /// The same since the record before.
    public var windowRMSE: Double?
    /// How far stated probabilities are from what happened, over the life, for two classes: the
    /// mean distance over ten groups of equal width.
    public var calibrationError: Double?
    /// The same since the record before.
    public var windowCalibrationError: Double?
    /// What is known of the rows that are held out; nil when none are.
    public var heldOut: HeldOutMetrics?
    /// What seems to have changed in the stream.
    public var alarms: [DriftAlarm]?
    /// What the publish gate said, where a version was to be published.
    public var gate: GateVerdict?
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

/// How well held-out rows were predicted, over the life.
public struct HeldOutMetrics: Sendable, Codable, Equatable {
    /// How many rows were predicted.
    public var rows: Int
    /// Their mean loss.
    public var loss: Double
    /// Share of rows whose class was right; nil for a regression.
    public var accuracy: Double?
    /// Area under the ROC curve, for two classes.
    public var auc: Double?
}

/// Something in the stream that is not as it was.
public struct DriftAlarm: Sendable, Codable, Equatable {
    /// What has changed.
    public enum Kind: String, Sendable, Codable {
        /// The loss of the rows before they were learnt.
        case loss
        /// The mean of a feature.
        case feature
    }

    /// What has changed.
    public var kind: Kind
    /// The feature's name or number, for a feature.
    public var feature: String?
    /// How far: the summed rise of the loss, or the feature's standard deviations.
    public var distance: Double
}

/// What the publish gate said of a version.
public struct GateVerdict: Sendable, Codable, Equatable {
    /// Whether the version may be published.
    public enum Outcome: String, Sendable, Codable {
        /// It was compared and is good enough.
        case passed
        /// There was nothing to compare with; it is published.
        case skipped
        /// It is not published.
        case refused
    }

    /// Whether the version may be published.
    public var outcome: Outcome
    /// Why it was skipped or refused.
    public var reason: String?
    /// Mean loss on the last held-out rows, where it was compared.
    public var loss: Double?
    /// That of the current version on the same rows.
    public var currentLoss: Double?
}
