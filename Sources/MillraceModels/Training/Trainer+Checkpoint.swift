/// A checkpoint is a run of little-endian numbers: magic, version, the options as so many 64-bit
/// numbers, rows seen, statistics, Adam's state, parameters, metrics. It has no checksum of its own:
/// who stores it has one over everything that is stored with it.
extension Trainer {
    private static let magic: UInt64 = 0x5450_4B43_5254_524D  // "MRTRCKPT"
    private static let version: UInt64 = 1

    /// Everything that the next step depends on.
    public func checkpoint() -> [UInt8] {
        var writer = ByteWriter()
        writer.append([Self.magic, Self.version])
        let encoded = Self.encode(options)
        writer.append(UInt64(encoded.count))
        writer.append(encoded)
        writer.append(UInt64(rowsSeen))
        statistics.encode(into: &writer)
        optimizer.encode(into: &writer)
        writer.append(network.parameters)
        classification?.encode(into: &writer)
        regression?.encode(into: &writer)
        return writer.bytes
    }

    /// A trainer that goes on from a checkpoint, bit for bit.
    ///
    /// - Throws: `ModelError` with `malformedCheckpoint`, `otherOptions` or `invalidOption`.
    public init(checkpoint: [UInt8], _ options: TrainingOptions) throws(ModelError) {
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
        let count = try reader.count("the length of the options", atMost: 1 << 32)
        guard try reader.words(count, "the options") == expected else {
            throw ModelError(
                .otherOptions,
                "the checkpoint is of a training with other options; "
                    + "go on with the old ones, or start afresh under another name")
        }
        let rowsSeen = try reader.count("the number of rows", atMost: 1 << 60)
        let statistics = try FeatureStatistics(features: options.features, from: &reader)
        var network = TrainingNetwork(options)
        let parameters = network.parameters.count
        let optimizer = try AdamOptimizer(parameters: parameters, from: &reader)
        network.parameters = try reader.floats(parameters, "the parameters")
        let classes = options.objective.classes
        var classification = classes > 0 ? ClassificationMetrics(classes: classes) : nil
        var regression = classes > 0 ? nil : RegressionMetrics()
        try classification?.decode(from: &reader)
        try regression?.decode(from: &reader)
        try reader.requireEnd()
        self.init(
            options: options, rowsSeen: rowsSeen, statistics: statistics, network: network,
            optimizer: optimizer, classification: classification, regression: regression)
    }

    private static func encode(_ options: TrainingOptions) -> [UInt64] {
        var writer = ByteWriter()
        options.encode(into: &writer)
        return writer.words
    }
}

extension ClassificationMetrics {
    /// Counts a batch of more than two classes.
    mutating func add(_ evaluation: BatchEvaluation) {
        rows += evaluation.rows
        lossSum += evaluation.lossSum
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
