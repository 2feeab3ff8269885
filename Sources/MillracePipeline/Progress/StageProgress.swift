/// How far a stage is, as a terminal or a report shows it.
///
/// A plain snapshot: whoever runs the stage makes one when asked, and nothing is shared.
public struct StageProgress: Sendable, Equatable {
    /// What a stage is doing.
    public enum State: String, Sendable, CaseIterable {
        /// It waits for another stage, or for the first version of its model.
        case waiting
        /// It works, or waits for rows.
        case running
        /// It has reached its end.
        case done
        /// It stopped with an error.
        case failed
    }

    /// How much of a file has been read, as it is stored.
    public struct FileBytes: Sendable, Equatable {
        /// Bytes read.
        public var read: Int
        /// Bytes that the file has.
        public var total: Int

        /// `read` of `total` bytes.
        public init(read: Int, total: Int) {
            self.read = read
            self.total = total
        }
    }

    /// The stage's name.
    public var name: String
    /// Its work, as in a pipeline file: `preprocess`, `train` or `score`; `source` for a file.
    public var kind: String
    /// What it is doing.
    public var state: State
    /// Rows that have their outcome.
    public var rowsDone: Int
    /// Rows in all; nil while the end is not known.
    public var rowsTotal: Int?
    /// How much of a file has been read; nil where none is, or its end is not known.
    public var bytes: FileBytes?
    /// Rows a second, over the last second or so.
    public var rowsPerSecond: Double
    /// Rows that are published and not yet read; nil where nobody counts them.
    public var lagRows: Int?
    /// Prequential log-loss, or squared error for a regression.
    public var loss: Double?
    /// Prequential area under the ROC curve, of two classes.
    public var auc: Double?
    /// Prequential accuracy.
    public var accuracy: Double?
    /// The model version that a scorer uses, or that a trainer published last.
    public var modelVersion: Int?
    /// When that version was published, in seconds since 1970; nil where it is not known.
    public var modelCreated: Int?
    /// The cores that it runs on.
    public var cores: [Int]
    /// Rows that were rejected, or scored as null.
    public var rejectedRows: Int
    /// Versions of its model that a scorer refused: broken, or for other features.
    public var refusedVersions: Int
    /// Rows that got their outcome by this run of the stage, in partitions that it has given away too.
    public var rowsProcessed: Int
    /// How long batches took from being fetched to being committed; nil where nothing works batch by
    /// batch, as sources and trainers.
    public var batches: DurationCounts?
    /// Its part in a group of Kafka; nil where it reads the log.
    public var kafka: KafkaShare?

    /// Creates a snapshot.
    public init(
        name: String, kind: String, state: State = .waiting, rowsDone: Int = 0,
        rowsTotal: Int? = nil, rowsPerSecond: Double = 0, lagRows: Int? = nil,
        loss: Double? = nil, auc: Double? = nil, accuracy: Double? = nil,
        modelVersion: Int? = nil, modelCreated: Int? = nil, cores: [Int] = [],
        rejectedRows: Int = 0, refusedVersions: Int = 0, rowsProcessed: Int = 0,
        batches: DurationCounts? = nil, kafka: KafkaShare? = nil
    ) {
        self.name = name
        self.kind = kind
        self.state = state
        self.rowsDone = rowsDone
        self.rowsTotal = rowsTotal
        self.rowsPerSecond = rowsPerSecond
        self.lagRows = lagRows
        self.loss = loss
        self.auc = auc
        self.accuracy = accuracy
        self.modelVersion = modelVersion
        self.modelCreated = modelCreated
        self.cores = cores
        self.rejectedRows = rejectedRows
        self.refusedVersions = refusedVersions
        self.rowsProcessed = rowsProcessed
        self.batches = batches
        self.kafka = kafka
    }

    /// The part of the rows that has its outcome, or of the file that has been read, from 0 to 1; nil
    /// while the end is not known.
    public var fraction: Double? {
        let (done, total) = bytes.map { ($0.read, $0.total) } ?? (rowsDone, rowsTotal ?? -1)
        guard total >= 0 else { return nil }
        guard total > 0 else { return state == .done ? 1 : 0 }
        return min(max(Double(done) / Double(total), 0), 1)
    }

    /// How long the rest will take at the present rate, seconds; nil where the end is not known, for
    /// who does not run, and while nothing moves.
    public var secondsLeft: Double? {
        guard state == .running, rowsPerSecond > 0, rowsPerSecond.isFinite else { return nil }
        let rowsLeft: Double
        if let bytes {
            guard bytes.read > 0, rowsDone > 0 else { return nil }
            // As many bytes a row as so far.
            rowsLeft = Double(bytes.total - bytes.read) * Double(rowsDone) / Double(bytes.read)
        } else if let rowsTotal {
            rowsLeft = Double(rowsTotal - rowsDone)
        } else {
            return nil
        }
        return max(rowsLeft, 0) / rowsPerSecond
    }
}
