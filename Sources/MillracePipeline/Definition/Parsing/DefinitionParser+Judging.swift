internal import MillraceModels

/// How partitions learn together, and how a train stage judges what it has learnt.
extension DefinitionParser {
    private enum SyncKey: String, CaseIterable {
        case reduce, average
    }

    private enum EveryKey: String, CaseIterable {
        case everyRows
    }

    private enum HoldOutKey: String, CaseIterable {
        case everyRows, offsets
    }

    private enum OffsetsKey: String, CaseIterable {
        case from, to
    }

    private enum GateKey: String, CaseIterable {
        case margin, rows
    }

    private enum DriftKey: String, CaseIterable {
        case tolerance, threshold, shift
    }

    /// Rows of a round of averaging where a definition does not say.
    private static let averageRows = 8192

    func synchronization(_ value: YAMLValue?) throws(PipelineError) -> Synchronization {
        guard let value else { return .reduce }
        if case .scalar = value.content {
            let key = try decoder.choice(value, "sync", among: SyncKey.allCases)
            return key == .reduce ? .reduce : .average(everyRows: Self.averageRows)
        }
        let fields = try Fields<SyncKey>(value, of: "sync", decoder)
        guard try fields.oneOf([.reduce, .average]) == .average else {
            guard try decoder.entries(fields.required(.reduce), "reduce").isEmpty else {
                throw decoder.error(
                    "reduce: expected no settings, as in \"sync: reduce\"", at: value.position)
            }
            return .reduce
        }
        let average = try Fields<EveryKey>(fields.required(.average), of: "average", decoder)
        return .average(
            everyRows: try average.integer(
                .everyRows, default: Self.averageRows, in: 1...(1 << 40)))
    }

    func holdOut(_ value: YAMLValue?) throws(PipelineError) -> HoldOut? {
        guard let value else { return nil }
        let fields = try Fields<HoldOutKey>(value, of: "holdOut", decoder)
        guard try fields.oneOf([.everyRows, .offsets]) == .offsets else {
            return .every(
                rows: try decoder.integer(
                    fields.required(.everyRows), "everyRows", in: 2...(1 << 40)))
        }
        let range = try Fields<OffsetsKey>(fields.required(.offsets), of: "offsets", decoder)
        let first = try range.integer(.from, default: 0, in: 0...Int.max)
        let last = try decoder.integer(range.required(.to), "to", in: first...Int.max)
        return .offsets(UInt64(first)...UInt64(last))
    }

    func gate(_ value: YAMLValue?) throws(PipelineError) -> PublishGate {
        guard let value else { return PublishGate() }
        let fields = try Fields<GateKey>(value, of: "gate", decoder)
        let standard = PublishGate()
        return PublishGate(
            margin: try fields.number(
                .margin, default: standard.margin, expected: "a number of at least 0"
            ) { $0 >= 0 },
            rows: try fields.integer(
                .rows, default: standard.rows, in: PublishGate.minRows...100_000))
    }

    func drift(_ value: YAMLValue?) throws(PipelineError) -> DriftDetection? {
        guard let value else { return nil }
        let fields = try Fields<DriftKey>(value, of: "drift", decoder)
        let standard = DriftDetection()
        return DriftDetection(
            tolerance: try fields.number(
                .tolerance, default: standard.tolerance, expected: "a number of at least 0"
            ) { $0 >= 0 },
            threshold: try fields.number(
                .threshold, default: standard.threshold, expected: "a number above 0"
            ) { $0 > 0 },
            shift: try fields.number(
                .shift, default: standard.shift, expected: "a number above 0"
            ) { $0 > 0 })
    }
}

extension TrainStage {
    /// Throws unless the settings go together.
    func checkSettings() throws(ModelError) {
        // How many features there are does not matter here.
        var options = TrainingOptions(learner.objective, features: 1)
        apply(to: &options)
        try options.validate()
    }

    /// Sets what the definition says of training; features are left alone.
    func apply(to options: inout TrainingOptions) {
        options.hidden = learner.hidden
        options.activation = learner.activation
        if let loss { options.loss = loss }
        options.classWeights = classWeights
        options.optimizer = optimizer
        options.schedule = schedule
        options.warmUpSteps = warmUpSteps
        options.regularization = regularization
        options.mode = mode
        options.synchronization = synchronization
        options.seed = seed
        options.batchRows = batchRows
    }
}
