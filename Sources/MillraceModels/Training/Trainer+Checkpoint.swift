public import MillraceCompute

/// What the next step of a training depends on, as one run of little-endian numbers.
///
/// Magic, version, the options as so many 64-bit numbers, rows seen, the number of lanes, the model
/// with its statistics (of no rows where none are kept) and its optimiser's state, statistics of the
/// newest rows, metrics of each lane; of a trainer that learns together with others, the newest
/// average and what came since. It has no checksum of its own: who stores it has one over everything
/// that is stored with it.
struct TrainingState {
    private static let magic: UInt64 = 0x5450_4B43_5254_524D  // "MRTRCKPT"
    private static let version: UInt64 = 2

    var rowsSeen: Int
    var replica: Replica
    /// Of the rows since somebody last looked for shifts.
    var recent: FeatureStatistics
    var lanes: [Lane]
    /// Of a trainer that learns together with others.
    var exchange: ExchangeState?

    /// What is known of the rows of a lane.
    struct Lane {
        var metrics: StreamMetrics
        var heldOut: StreamMetrics
    }

    init(
        rowsSeen: Int, replica: Replica, recent: FeatureStatistics, lanes: [Lane],
        exchange: ExchangeState? = nil
    ) {
        self.rowsSeen = rowsSeen
        self.replica = replica
        self.recent = recent
        self.lanes = lanes
        self.exchange = exchange
    }

    /// The state to begin with.
    init(_ options: TrainingOptions, lanes count: Int) {
        let none = StreamMetrics(options.objective)
        rowsSeen = 0
        replica = Replica(options)
        recent = FeatureStatistics(features: options.features)
        lanes = [Lane](repeating: Lane(metrics: none, heldOut: none), count: count)
    }

    func encode(_ options: TrainingOptions, into bytes: inout [UInt8]) {
        var writer = ByteWriter()
        swap(&writer.bytes, &bytes)
        defer { swap(&writer.bytes, &bytes) }
        writer.append([Self.magic, Self.version])
        let encoded = Self.encode(options)
        writer.append(UInt64(encoded.count))
        writer.append(encoded)
        writer.append([UInt64(rowsSeen), UInt64(lanes.count)])
        replica.encode(into: &writer)
        recent.encode(into: &writer)
        for lane in lanes {
            lane.metrics.encode(into: &writer)
            lane.heldOut.encode(into: &writer)
        }
        exchange?.encode(into: &writer)
    }

    init(
        _ checkpoint: [UInt8], _ options: TrainingOptions, lanes count: Int,
        exchanges: Bool = false
    ) throws(ModelError) {
        try options.validate()
        var reader = ByteReader(checkpoint)
        guard try reader.word("the magic number") == Self.magic else {
            throw reader.malformed("this is no checkpoint of a training")
        }
        let version = try reader.word("the version")
        guard version == Self.version else {
            throw reader.malformed("version \(version), where \(Self.version) can be read")
        }
        let expected = Self.encode(options)
        let length = try reader.count("the length of the options", atMost: 1 << 32)
        guard try reader.words(length, "the options") == expected else {
            throw ModelError(
                .otherOptions,
                "the checkpoint is of a training with other options; "
                    + "go on with the old ones, or start afresh under another name")
        }
        rowsSeen = try reader.count("the number of rows", atMost: 1 << 60)
        let found = try reader.count("the number of lanes", atMost: 1 << 20)
        guard found == count else {
            throw ModelError(
                .otherOptions,
                "the checkpoint is of a training on \(found) partitions, not \(count); "
                    + "start afresh under another name")
        }
        replica = try Replica(options, from: &reader)
        recent = try FeatureStatistics(features: options.features, from: &reader)
        lanes = []
        for _ in 0..<count {
            let metrics = try StreamMetrics(options.objective, from: &reader)
            let heldOut = try StreamMetrics(options.objective, from: &reader)
            lanes.append(Lane(metrics: metrics, heldOut: heldOut))
        }
        if exchanges {
            exchange = try ExchangeState(options, rowsSeen: rowsSeen, from: &reader)
        }
        try reader.requireEnd()
    }

    private static func encode(_ options: TrainingOptions) -> [UInt64] {
        var writer = ByteWriter()
        options.encode(into: &writer)
        return writer.words
    }
}

extension Trainer {
    /// Everything that the next step depends on.
    public func checkpoint() -> [UInt8] {
        var bytes: [UInt8] = []
        TrainingState(
            rowsSeen: rowsSeen, replica: replica,
            recent: FeatureStatistics(features: options.features),
            lanes: [TrainingState.Lane(metrics: lane.metrics, heldOut: lane.heldOut)]
        ).encode(options, into: &bytes)
        return bytes
    }

    /// A trainer that goes on from a checkpoint: with the same kernels, bit for bit.
    ///
    /// - Throws: `ModelError` with `malformedCheckpoint`, `otherOptions` or `invalidOption`.
    public init(
        checkpoint: [UInt8], _ options: TrainingOptions, kernels: KernelSet = .best
    ) throws(ModelError) {
        let state = try TrainingState(checkpoint, options, lanes: 1)
        self.init(
            options, kernels, rowsSeen: state.rowsSeen, replica: state.replica,
            lane: TrainingLane(
                options, state.replica.shape, kernels, metrics: state.lanes[0].metrics))
    }
}

extension ClassificationMetrics {
    /// Counts a batch, but for the bins of its rows.
    mutating func add(_ evaluation: BatchEvaluation) {
        rows += evaluation.rows
        lossSum += evaluation.plainLossSum
        correct += evaluation.correct
    }

    func encode(into writer: inout ByteWriter) {
        let bins = filledBins
        writer.append([UInt64(rows), UInt64(correct)])
        writer.append([lossSum])
        writer.append([UInt64(bins.count)] + bins)
    }

    mutating func decode(from reader: inout ByteReader) throws(ModelError) {
        rows = try reader.count("the number of counted rows", atMost: 1 << 60)
        correct = try reader.count("the number of right rows", atMost: rows)
        lossSum = try reader.doubles(1, "the sum of losses")[0]
        let count = try reader.count("the number of bins", atMost: 3 * Self.binCount)
        guard fill(try reader.words(count, "the bins")) else {
            throw reader.malformed("bins that no metrics have")
        }
    }
}

extension RegressionMetrics {
    func encode(into writer: inout ByteWriter) {
        writer.append(UInt64(rows))
        writer.append([sums.squares, sums.distances])
    }

    mutating func decode(from reader: inout ByteReader) throws(ModelError) {
        let rows = try reader.count("the number of counted rows", atMost: 1 << 60)
        let sums = try reader.doubles(2, "the sums of errors")
        self = RegressionMetrics(rows: rows, squares: sums[0], distances: sums[1])
    }
}
