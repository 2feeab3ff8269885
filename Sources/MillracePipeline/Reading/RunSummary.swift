public import MillraceCompute

/// What is in the topics after a run, and how the stages did: all of it read back from the topics.
public struct RunSummary: Sendable, Codable, Equatable {
    /// Wall time of this run in seconds, reading back not included.
    public var seconds: Double
    /// Every topic of the pipeline.
    public var topics: [TopicSummary]
    /// Every stage of the pipeline.
    public var stages: [StageSummary]
    /// Kernel set and OpenBLAS core that computed.
    public var kernels: String
    /// The core for which OpenBLAS chose its kernels.
    public var openBLASCore: String
}

/// What a topic holds.
public struct TopicSummary: Sendable, Codable, Equatable {
    /// The topic's name.
    public var name: String
    /// `bytes`, `features` or `predictions`.
    public var kind: String
    /// Number of partitions.
    public var partitions: Int
    /// Features or outputs a row; 0 for bytes.
    public var columns = 0
    /// Rows in all partitions.
    public var rows = 0
    /// Rows with a label.
    public var labelledRows = 0
    /// Batches in all partitions.
    public var batches = 0
    /// Bytes in the files.
    public var storedBytes = 0
    /// Bytes once decoded.
    public var decodedBytes = 0
    /// Source rows recorded as dropped, by reason.
    public var drops: [String: Int] = [:]

    /// Source rows that could not be used: blank lines and rows that no route takes are not counted.
    public var rejectedRows: Int {
        drops.reduce(0) { DropReason.isRejection($1.key) ? $0 + $1.value : $0 }
    }
}

/// What a stage did, over all runs on the same data.
public struct StageSummary: Sendable, Codable, Equatable {
    /// The stage's name.
    public var name: String
    /// `preprocess`, `train` or `score`.
    public var kind: String
    /// The cores that it ran on.
    public var cores: [Int]
    /// Source rows that have their outcome; for a trainer, rows visited over all passes.
    public var rowsRead = 0
    /// Rows that it wrote.
    public var rowsWritten = 0
    /// Rows that were rejected, or scored as null.
    public var rowsRejected = 0
    /// Seconds between its appends, pauses of more than a second left out.
    public var activeSeconds = 0.0
    /// Rows whose outcome came in those seconds.
    public var activeRows = 0
    /// Predictions without a quality: their model is gone, or of another shape than the newest.
    public var rowsNotJudged = 0
    /// Rows read a second of active time.
    public var rowsPerSecond = 0.0
    /// The same for each core.
    public var rowsPerSecondPerCore = 0.0
    /// Rows scored by each model version.
    public var modelVersions: [Int: Int] = [:]
    /// The precision that a score stage scored in, where it was asked for another than float32.
    public var precision: Precision?
    /// Why it scored in float32 all the same.
    public var precisionFallback: String?
    /// Test-then-train quality of a trainer: at the end of its first pass, since later passes see
    /// rows that were learnt from before.
    public var training: MetricsRecord?
    /// What a trainer said last: its rows, steps and passes.
    public var lastMetrics: MetricsRecord?
    /// Quality of the predictions of labelled rows.
    public var quality: PredictionQuality?
}

/// How good predictions were, of rows whose label is known.
public struct PredictionQuality: Sendable, Codable, Equatable {
    /// Rows with a label and a prediction.
    public var rows: Int
    /// Mean log-loss of a classifier.
    public var logLoss: Double?
    /// Share of rows whose most probable class is right.
    public var accuracy: Double?
    /// Area under the ROC curve, for two classes.
    public var auc: Double?
    /// Root of the mean squared error of a regression.
    public var rmse: Double?
    /// Rows by true class (row) and predicted class (column).
    public var confusion: [[Int]]?
    /// Names of the classes.
    public var classes: [String]?
}
