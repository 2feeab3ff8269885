internal import MillraceModels

/// How a train stage learns: loss, optimiser, schedule and what keeps them in bounds.
extension DefinitionParser {
    private enum OptimizerKey: String, CaseIterable {
        case sgd, momentum, adagrad, adam, adamw, ftrl
    }

    private enum ConstantKey: String, CaseIterable {
        case rate, momentum, nesterov, beta1, beta2, epsilon, weightDecay, alpha, beta
    }

    private enum ScheduleKey: String, CaseIterable {
        case constant, step, inverseScaling, cosine, inverseSquareRoot
    }

    private enum StepsKey: String, CaseIterable {
        case steps, factor, power, warmUp
    }

    private enum LossKey: String, CaseIterable {
        case squared, huber, logistic, crossEntropy
    }

    private enum HuberKey: String, CaseIterable {
        case delta
    }

    private enum ClipKey: String, CaseIterable {
        case norm, value
    }

    private static let positive = "a number above 0"
    private static let share = "a number of at least 0 and below 1"
    private static let notNegative = "a number of at least 0"

    /// A choice by name, as `adam` or `{adam: {...}}`, with its settings.
    private func named<Key: RawRepresentable<String> & CaseIterable & Hashable>(
        _ value: YAMLValue, _ what: String, _: Key.Type
    ) throws(PipelineError) -> (key: Key, settings: YAMLValue?) {
        if case .scalar(_, quoted: false) = value.content {
            return (try decoder.choice(value, what, among: Array(Key.allCases)), nil)
        }
        let fields = try Fields<Key>(value, of: what, decoder)
        let key = try fields.oneOf(Array(Key.allCases))
        return (key, try fields.required(key))
    }

    /// Settings that are known for `what`; those of other choices are unknown keys here.
    private func settings<Key: RawRepresentable<String> & CaseIterable & Hashable>(
        _ value: YAMLValue?, of what: String, _ allowed: [Key]
    ) throws(PipelineError) -> Fields<Key>? {
        guard let value else { return nil }
        let fields = try Fields<Key>(value, of: what, decoder)
        for key in Key.allCases where !allowed.contains(key) && fields[key] != nil {
            throw decoder.error(
                "unknown key \(quote(key.rawValue)) in \(what)", at: fields.keyPosition(key),
                advice: "Known keys: \(allowed.map(\.rawValue).joined(separator: ", ")).")
        }
        return fields
    }

    func optimizer(_ value: YAMLValue?) throws(PipelineError) -> Optimizer {
        guard let value else { return .adam() }
        let (key, given) = try named(value, "optimizer", OptimizerKey.self)
        let allowed: [ConstantKey] =
            switch key {
            case .sgd: [.rate]
            case .momentum: [.rate, .momentum, .nesterov]
            case .adagrad: [.rate, .epsilon]
            case .adam: [.rate, .beta1, .beta2, .epsilon]
            case .adamw: [.rate, .beta1, .beta2, .epsilon, .weightDecay]
            case .ftrl: [.alpha, .beta]
            }
        let constants = try settings(given, of: key.rawValue, allowed)
        func number(
            _ key: ConstantKey, _ standard: Double, _ expected: String = Self.positive,
            _ holds: (Double) -> Bool = { $0 > 0 }
        ) throws(PipelineError) -> Double {
            guard let constants else { return standard }
            return try constants.number(key, default: standard, expected: expected, where: holds)
        }
        func part(_ key: ConstantKey, _ standard: Double) throws(PipelineError) -> Double {
            try number(key, standard, Self.share) { (0..<1).contains($0) }
        }
        switch key {
        case .sgd: return .sgd(rate: try number(.rate, 0.01))
        case .momentum:
            return .momentum(
                rate: try number(.rate, 0.01), momentum: try part(.momentum, 0.9),
                nesterov: try constants?.boolean(.nesterov, default: false) ?? false)
        case .adagrad:
            return .adagrad(rate: try number(.rate, 0.01), epsilon: try number(.epsilon, 1e-10))
        case .adam:
            return .adam(
                rate: try number(.rate, 0.01), beta1: try part(.beta1, 0.9),
                beta2: try part(.beta2, 0.999), epsilon: try number(.epsilon, 1e-8))
        case .adamw:
            return .adamW(
                rate: try number(.rate, 0.01), beta1: try part(.beta1, 0.9),
                beta2: try part(.beta2, 0.999), epsilon: try number(.epsilon, 1e-8),
                weightDecay: try number(.weightDecay, 0.01, Self.notNegative) { $0 >= 0 })
        case .ftrl:
            return .ftrl(
                alpha: try number(.alpha, 0.1),
                beta: try number(.beta, 1, Self.notNegative) { $0 >= 0 })
        }
    }

    func schedule(
        _ value: YAMLValue?
    ) throws(PipelineError) -> (LearningRateSchedule, warmUp: Int) {
        guard let value else { return (.constant, 0) }
        let (key, given) = try named(value, "schedule", ScheduleKey.self)
        let allowed: [StepsKey] =
            switch key {
            case .constant: [.warmUp]
            case .step: [.steps, .factor, .warmUp]
            case .inverseScaling: [.power, .warmUp]
            case .cosine, .inverseSquareRoot: [.steps, .warmUp]
            }
        let fields = try settings(given, of: key.rawValue, allowed)
        func steps() throws(PipelineError) -> Int {
            guard let fields else {
                throw decoder.error(
                    "\(key.rawValue) needs its \"steps\", as in "
                        + "\"{\(key.rawValue): {steps: 1000}}\"", at: value.position)
            }
            return try decoder.integer(fields.required(.steps), "steps", in: 1...(1 << 40))
        }
        let schedule: LearningRateSchedule
        switch key {
        case .constant: schedule = .constant
        case .step:
            let factor =
                try fields?.number(
                    .factor, default: 0.1, expected: "a number above 0 and at most 1"
                ) { $0 > 0 && $0 <= 1 } ?? 0.1
            schedule = .step(steps: try steps(), factor: factor)
        case .inverseScaling:
            schedule = .inverseScaling(
                power: try fields?.number(
                    .power, default: 0.25, expected: "a number from 0 to 10"
                ) { (0...10).contains($0) } ?? 0.25)
        case .cosine: schedule = .cosine(steps: try steps())
        case .inverseSquareRoot: schedule = .inverseSquareRoot(steps: try steps())
        }
        return (schedule, try fields?.integer(.warmUp, default: 0, in: 0...(1 << 40)) ?? 0)
    }

    func loss(_ value: YAMLValue?) throws(PipelineError) -> Loss? {
        guard let value else { return nil }
        let (key, given) = try named(value, "loss", LossKey.self)
        switch key {
        case .squared: return .squared
        case .logistic: return .logistic
        case .crossEntropy: return .crossEntropy
        case .huber:
            let fields = try settings(given, of: "huber", [HuberKey.delta])
            return .huber(
                delta: try fields?.number(
                    .delta, default: 1, expected: Self.positive
                ) { $0 > 0 } ?? 1)
        }
    }

    func classWeights(_ value: YAMLValue?) throws(PipelineError) -> [Double] {
        guard let value else { return [] }
        var weights: [Double] = []
        for element in try decoder.list(value, "classWeights", of: "numbers") {
            let weight = try decoder.number(element, "classWeights")
            guard weight >= 0 else {
                throw decoder.mismatch("classWeights", Self.notNegative, element)
            }
            weights.append(weight)
        }
        return weights
    }

    func regularization(_ fields: Fields<TrainKey>) throws(PipelineError) -> Regularization {
        var result = Regularization()
        result.l1 = try fields.number(.l1, default: 0, expected: Self.notNegative) { $0 >= 0 }
        result.l2 = try fields.number(.l2, default: 0, expected: Self.notNegative) { $0 >= 0 }
        guard let value = fields[.clipGradient] else { return result }
        let clip = try Fields<ClipKey>(value, of: "clipGradient", decoder)
        let key = try clip.oneOf([.norm, .value])
        let limit = try clip.number(key, default: 1, expected: Self.positive) { $0 > 0 }
        if key == .norm { result.clipNorm = limit } else { result.clipValue = limit }
        return result
    }
}
