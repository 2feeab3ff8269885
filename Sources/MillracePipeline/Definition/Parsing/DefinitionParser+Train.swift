internal import MillraceFeatures
internal import MillraceModels

extension DefinitionParser {
    enum TrainKey: String, CaseIterable {
        case kind, from, model, regression, logistic, softmax, mlp
        case loss, classWeights, optimizer, schedule, l1, l2, clipGradient, mode, sync
        case batch, epochs, seed, holdOut, gate, drift, publish, checkpoint
        case kernels, partitions, exchange, group, cores, assignor, after
    }

    private enum SoftmaxKey: String, CaseIterable {
        case classes
    }

    private enum MLPKey: String, CaseIterable {
        case hidden, activation, classes
    }

    private enum IntervalKey: String, CaseIterable {
        case everyRows
    }

    private enum PublishKey: String, CaseIterable {
        case everyRows, keepVersions
    }

    private static let intervals = 1...(1 << 50)
    private static let versionCounts = 1...1_000_000
    private static let classCounts = 2...TopicDefinition.maxFeatures
    private static let layerSizes = 1...65_536
    private static let maxLayers = 32

    /// Reads a train stage; `pipeline` has the topics and preprocess stages already.
    func train(
        _ fields: Fields<TrainKey>, in pipeline: PipelineDefinition
    ) throws(PipelineError) -> TrainStage {
        let model = try fields.text(.model)
        try decoder.name(model, "model", at: try fields.required(.model).position)
        let from = try fields.reference(.from)
        let label = pipeline.topic(named: from.name).flatMap(pipeline.encoder(of:))?.1
            .definition.label
        var stage = TrainStage(
            from: from, model: model, learner: try learner(fields, label),
            optimizer: try optimizer(fields[.optimizer]),
            batchRows: try fields.integer(
                .batch, default: TrainStage.defaultBatchRows, in: 1...65_536),
            epochs: try fields.integer(.epochs, default: 1, in: 1...100_000),
            seed: UInt64(try fields.integer(.seed, default: 1, in: 0...Int.max)),
            regularization: try regularization(fields),
            checkpointEveryRows: try checkpointRows(fields[.checkpoint]))
        if let publish = fields[.publish] { try self.publish(publish, of: &stage) }
        (stage.schedule, stage.warmUpSteps) = try schedule(fields[.schedule])
        stage.loss = try loss(fields[.loss])
        stage.classWeights = try classWeights(fields[.classWeights])
        stage.mode = try fields.choice(
            .mode, default: .miniBatch, among: UpdateMode.allCases)
        stage.synchronization = try synchronization(fields[.sync])
        stage.holdOut = try holdOut(fields[.holdOut])
        stage.gate = try gate(fields[.gate])
        stage.drift = try drift(fields[.drift])
        stage.kernels = try kernels(fields[.kernels])
        stage.partitions = try partitions(fields[.partitions])
        stage.exchange = try exchange(fields[.exchange])
        return stage
    }

    private func learner(
        _ fields: Fields<TrainKey>, _ label: LabelRule?
    ) throws(PipelineError) -> LearnerDefinition {
        let key = try fields.oneOf([.regression, .logistic, .softmax, .mlp])
        let value = try fields.required(key)
        switch key {
        case .softmax:
            let softmax = try Fields<SoftmaxKey>(value, of: "softmax", decoder)
            let classes = try classes(softmax, .classes, label)
            guard let classes else {
                throw decoder.error(
                    "softmax needs the number of \"classes\"", at: fields.keyPosition(.softmax))
            }
            return LearnerDefinition(objective: .softmax(classes: classes))
        case .mlp:
            return try mlp(value, label)
        default:
            guard try decoder.entries(value, key.rawValue).isEmpty else {
                throw decoder.error(
                    "\(key.rawValue): expected no settings, as in \"\(key.rawValue): {}\"",
                    at: value.position)
            }
            return LearnerDefinition(objective: key == .logistic ? .logistic : .regression)
        }
    }

    /// The number of classes that is written, or else as many as the label names.
    private func classes<Key>(
        _ fields: Fields<Key>, _ key: Key, _ label: LabelRule?
    ) throws(PipelineError) -> Int? {
        let written = try fields.optionalInteger(key, in: Self.classCounts)
        guard case .classes(let names) = label?.rule else { return written }
        if let written, written != names.count {
            throw decoder.error(
                "classes: \(written) are asked for, and the label has \(names.count)",
                at: fields.keyPosition(key))
        }
        return names.count
    }

    /// What an MLP predicts follows from `classes`, or else from the label: a test is logistic, a
    /// list of classes softmax, and the value itself a regression.
    private func mlp(
        _ value: YAMLValue, _ label: LabelRule?
    ) throws(PipelineError) -> LearnerDefinition {
        let mlp = try Fields<MLPKey>(value, of: "mlp", decoder)
        let hidden = try mlp.required(.hidden)
        var sizes: [Int] = []
        for size in try decoder.list(hidden, "hidden", of: "layer sizes") {
            sizes.append(try decoder.integer(size, "hidden", in: Self.layerSizes))
        }
        guard (1...Self.maxLayers).contains(sizes.count) else {
            throw decoder.error(
                "hidden: expected 1 to \(Self.maxLayers) layers, found \(sizes.count)",
                at: hidden.position)
        }
        let objective: Objective
        if let classes = try classes(mlp, .classes, label) {
            objective = classes == 2 ? .logistic : .softmax(classes: classes)
        } else if let label {
            objective = label.rule == .value ? .regression : .logistic
        } else {
            throw decoder.error(
                "mlp needs the number of \"classes\", since nothing says what its labels are",
                at: mlp.position)
        }
        return LearnerDefinition(
            hidden: sizes,
            activation: try mlp.choice(.activation, default: .relu, among: Activation.allCases),
            objective: objective)
    }

    private func checkpointRows(_ value: YAMLValue?) throws(PipelineError) -> Int? {
        guard let value else { return nil }
        let fields = try Fields<IntervalKey>(value, of: "checkpoint", decoder)
        return try decoder.integer(
            fields.required(.everyRows), "everyRows", in: Self.intervals)
    }

    private func publish(
        _ value: YAMLValue, of stage: inout TrainStage
    ) throws(PipelineError) {
        let fields = try Fields<PublishKey>(value, of: "publish", decoder)
        stage.keepVersions = try fields.optionalInteger(.keepVersions, in: Self.versionCounts)
        // One of the two says what the key is there for.
        guard fields[.everyRows] != nil || stage.keepVersions == nil else { return }
        stage.publishEveryRows = try decoder.integer(
            fields.required(.everyRows), "everyRows", in: Self.intervals)
    }
}
