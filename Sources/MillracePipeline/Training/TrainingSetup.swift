internal import FoundationEssentials
internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceModels

/// What decides a training besides the rows.
struct TrainingSetup: Sendable {
    let options: TrainingOptions
    let kernels: KernelSet
    /// All of it as text; a checkpoint of other settings is refused.
    let settings: String

    /// The setup of a stage; `policies` say how features are scaled and imputed, one for each, and
    /// without a specification all are standardised and imputed by their mean.
    init(_ stage: TrainStage, features: Int, policies: [FeaturePolicy]?) throws {
        var options = TrainingOptions(stage.learner.objective, features: features)
        stage.apply(to: &options)
        if let policies {
            options.scaledFeatures = policies.map(\.isScaled)
            options.imputation = policies.map {
                if case .constant(let value) = $0.impute { return .constant(Float(value)) }
                return .mean
            }
        }
        try options.validate()
        self.options = options
        kernels = stage.kernels ?? .best
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        func text(_ value: some Encodable) throws -> String {
            String(decoding: try encoder.encode(value), as: UTF8.self)
        }
        settings =
            try text(options) + " epochs \(stage.epochs) "
            + "versions \(stage.publishEveryRows ?? 0) "
            + "checkpoints \(stage.checkpointEveryRows ?? 0) held out "
            + text([stage.holdOut]) + " gate " + text(stage.gate) + " drift " + text([stage.drift])
            + (stage.partitions.map { " partitions \($0)" } ?? "")
            + (stage.exchange.map { " exchange \($0.trainer) every \($0.everyRows)" } ?? "")
    }
}

/// What a model's classes are called.
enum LabelNames {
    /// The classes that the specification names, `no` and `yes` for a test, numbers otherwise.
    static func names(
        for specification: FeatureSpecification?, _ objective: Objective
    ) -> [String] {
        switch specification?.label?.rule {
        case .classes(let names) where names.count == objective.classes: names
        case .test where objective.classes == 2: ["no", "yes"]
        default: (0..<objective.classes).map(String.init)
        }
    }
}
