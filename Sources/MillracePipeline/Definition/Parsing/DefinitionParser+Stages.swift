internal import MillraceCompute
internal import MillraceFeatures
internal import MillraceGroups
internal import MillraceRepository

extension DefinitionParser {
    /// The keys that every stage has; `kind` decides which others.
    private enum CommonKey: String, CaseIterable {
        case kind, group, cores, assignor, after
    }

    enum Kind: String, CaseIterable {
        case preprocess, train, score
    }

    enum PreprocessKey: String, CaseIterable {
        case kind, from, rows, columns, to, label, features, fitRows, badRows, missingValues
        case group, cores, assignor, after
    }

    enum ScoreKey: String, CaseIterable {
        case kind, from, to, model, kernels, precision, group, cores, assignor, after
    }

    private static let maxFitRows = 100_000_000
    private static let maxCore = 4095

    /// Reads the stages into `pipeline`, in the order of the file; those that train come last to be
    /// read, since what they learn may follow from the label that another stage makes.
    func stages(
        _ entries: [YAMLValue.Entry], into pipeline: inout PipelineDefinition
    ) throws(PipelineError) {
        var kinds: [Kind] = []
        for entry in entries {
            kinds.append(try kind(of: entry, "stage \(quote(entry.key))"))
        }
        var stages: [(order: Int, stage: StageDefinition)] = []
        for training in [false, true] {
            for (order, entry) in entries.enumerated() where (kinds[order] == .train) == training {
                stages.append((order, try stage(entry, kinds[order], in: pipeline)))
            }
            pipeline.stages = stages.sorted { $0.order < $1.order }.map(\.stage)
        }
    }

    private func stage(
        _ entry: YAMLValue.Entry, _ kind: Kind, in pipeline: PipelineDefinition
    ) throws(PipelineError) -> StageDefinition {
        let what = "stage \(quote(entry.key))"
        let work: StageDefinition.Work
        switch kind {
        case .preprocess:
            let fields = try Fields<PreprocessKey>(entry.value, of: what, decoder)
            work = .preprocess(try preprocess(fields))
        case .train:
            let fields = try Fields<TrainKey>(
                entry.value, of: what, decoder)
            work = .train(try train(fields, in: pipeline))
        case .score:
            let fields = try Fields<ScoreKey>(entry.value, of: what, decoder)
            work = .score(try score(fields))
        }
        return try common(entry, what, work)
    }

    private func kind(
        of entry: YAMLValue.Entry, _ what: String
    ) throws(PipelineError) -> Kind {
        let given = try decoder.entries(entry.value, what).first { $0.key == "kind" }
        guard let given else {
            throw decoder.error(
                "\(what) lacks the key \"kind\"", at: entry.keyPosition,
                advice: "It is preprocess, train or score.")
        }
        return try decoder.choice(given.value, "kind", among: Kind.allCases)
    }

    private func common(
        _ entry: YAMLValue.Entry, _ what: String, _ work: StageDefinition.Work
    ) throws(PipelineError) -> StageDefinition {
        let known = Set(CommonKey.allCases.map(\.rawValue))
        var value = entry.value
        value.content = .map(
            try decoder.entries(entry.value, what).filter { known.contains($0.key) })
        let fields = try Fields<CommonKey>(value, of: what, decoder)
        let group = try fields.optionalText(.group)
        if let group, let position = fields[.group]?.position {
            try decoder.name(group, "group", at: position)
        }
        return StageDefinition(
            name: entry.key, work: work, group: group, cores: try cores(fields[.cores]),
            assignor: try fields.choice(
                .assignor, default: .sticky, among: Assignor.allCases),
            after: try fields.optionalReference(.after), position: entry.keyPosition)
    }

    private func cores(_ value: YAMLValue?) throws(PipelineError) -> [Int]? {
        guard let value else { return nil }
        var cores: [Int] = []
        for element in try decoder.list(value, "cores", of: "core numbers") {
            let core = try decoder.integer(element, "cores", in: 0...Self.maxCore)
            guard !cores.contains(core) else {
                throw decoder.error("cores: \(core) is listed twice", at: element.position)
            }
            cores.append(core)
        }
        guard !cores.isEmpty else {
            throw decoder.error(
                "cores: the list is empty", at: value.position,
                advice: "Leave the key out to use every core.")
        }
        return cores
    }

    private func preprocess(
        _ fields: Fields<PreprocessKey>
    ) throws(PipelineError) -> PreprocessStage {
        let (to, routes) = try self.routes(fields.required(.to))
        let model = try featuresModel(fields.required(.features))
        let features = model == nil ? try self.features(fields.required(.features)) : []
        var definition = PreprocessDefinition(features: features, routes: routes)
        if let value = fields[.label] { definition.label = try label(value) }
        definition.fitRows = try fields.integer(
            .fitRows, default: definition.fitRows, in: 1...Self.maxFitRows)
        definition.onBadRow = try fields.choice(
            .badRows, default: definition.onBadRow, among: [.skip, .fail])
        if let value = fields[.missingValues] {
            definition.missingValues = try missingValues(value)
        }
        return PreprocessStage(
            from: try fields.reference(.from), to: to, definition: definition,
            rows: try rows(fields, definition), model: model)
    }

    private enum FeaturesKey: String, CaseIterable {
        case model
    }

    /// The model whose features are wanted, in the place of a list of features.
    private func featuresModel(_ value: YAMLValue) throws(PipelineError) -> ModelReference? {
        guard case .map = value.content else { return nil }
        let fields = try Fields<FeaturesKey>(value, of: "features", decoder)
        return try modelReference(fields.required(.model))
    }

    /// What the rows are, where the stage says so; columns of JSON may follow from what is asked of
    /// them.
    private func rows(
        _ fields: Fields<PreprocessKey>, _ definition: PreprocessDefinition
    ) throws(PipelineError) -> RowSchema? {
        guard fields[.rows] != nil || fields[.columns] != nil else { return nil }
        let format = try fields.choice(.rows, default: TextFormat.csv, among: TextFormat.allCases)
        if let value = fields[.columns] {
            let names = try decoder.texts(value, "columns", of: "column names")
            return RowSchema(format, columns: names)
        }
        switch format {
        case .csv:
            throw decoder.error(
                "\"rows: csv\" needs the names of the \"columns\"", at: fields.keyPosition(.rows))
        case .lines: return RowSchema(.lines, columns: [RowSchema.lineColumn])
        case .jsonl:
            let names = definition.columnNames
            if let pattern = names.first(where: { $0.contains("*") }) {
                throw decoder.error(
                    "the pattern \(quote(pattern)) needs the names of the \"columns\"",
                    at: fields.keyPosition(.rows))
            }
            return RowSchema(.jsonl, columns: names)
        }
    }

    /// Texts that mean a missing value; unlike other texts they may be empty.
    private func missingValues(_ value: YAMLValue) throws(PipelineError) -> [String] {
        var texts: [String] = []
        for element in try decoder.list(value, "missingValues", of: "texts") {
            switch element.content {
            case .scalar(let text, _): texts.append(text)
            default: throw decoder.mismatch("missingValues", "text", element)
            }
        }
        return texts
    }

    private func score(_ fields: Fields<ScoreKey>) throws(PipelineError) -> ScoreStage {
        ScoreStage(
            from: try fields.reference(.from), to: try fields.reference(.to),
            model: try modelReference(fields.required(.model)),
            kernels: try kernels(fields[.kernels]),
            precision: try fields.choice(
                .precision, default: .float32, among: Precision.allCases))
    }

    private func modelReference(_ value: YAMLValue) throws(PipelineError) -> ModelReference {
        let text = try decoder.text(value, "model")
        do throws(RepositoryError) { return try ModelReference(parsing: text) } catch {
            throw decoder.error("model: \(error.description)", at: value.position)
        }
    }

    /// The kernels to compute with; nil is the best that the processor has.
    func kernels(_ value: YAMLValue?) throws(PipelineError) -> KernelSet? {
        guard let value else { return nil }
        if case .scalar("auto", quoted: false) = value.content { return nil }
        return try decoder.choice(value, "kernels", among: KernelSet.allCases)
    }
}
